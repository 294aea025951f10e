"""Body check: what is wrong with a body, by the model of its endpoint."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import SchemaValidator

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.body_fault import BodyFault, Validate
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.validation.body_model import BodyModel
from airflow_provider_openai_dest.validation.catalogue import model_of
from airflow_provider_openai_dest.validation.faults import Found, faults_of

MOST_KINDS = 10
"""Kinds of faults that the end of a run tells."""

OPENAI_SERVERS = ("azure", "azure_classic", "openai")
"""Kinds of servers whose bodies the models describe; the bounds of others may be others."""

log = logging.getLogger(__name__)


class BodyCheck:
    """Looks at the fields of each body that are not the same for all records; those are looked at once, before.

    :param model: the model of the endpoint's bodies.
    :param endpoint: its name, for the log.
    :param fields: the fields that are looked at; None is all.
    :param is_strict: whether a fault rejects the record; else the first of each kind is logged, and it is sent.
    """

    def __init__(
        self, model: type[BodyModel], endpoint: str, *, fields: AbstractSet[str] | None = None, is_strict: bool = True
    ) -> None:
        self._endpoint = endpoint
        self._is_strict = is_strict
        self._known = names_of(model)
        self._validator = _validator_of(model, self._known if fields is None else fields)
        self._sent: Counter[str] = Counter()

    def __call__(self, body: Mapping[str, Any]) -> Sequence[BodyFault]:
        """Give the faults for which a record is rejected."""
        if not body.keys() <= self._known:
            self.tell_unknown(body)
        try:
            self._validator.validate_python(body)
        except ValidationError:
            return self._judged(body)
        return ()

    def tell_unknown(self, names: Iterable[str]) -> None:
        """Warn of each field that the model does not name, once: it may be newer, or misspelt. It is sent."""
        for name in [name for name in names if name not in self._known]:
            self._known.add(name)
            log.warning("%s: the field %r is not known to this version; it is sent as it is", self._endpoint, name)

    def tell_sent(self) -> None:
        """Log how many bodies were sent in spite of their faults, by kind."""
        if self._sent:
            kinds = ", ".join(f"{kind} ({count})" for kind, count in self._sent.most_common(MOST_KINDS))
            log.warning("%s: faults of bodies that were sent: %s", self._endpoint, kinds)

    def _judged(self, body: Mapping[str, Any]) -> Sequence[BodyFault]:
        found = _found_in_json(self._validator, body)
        if self._is_strict:
            return [each.fault for each in found]
        for each in found:
            self._sent[each.kind] += 1
            if self._sent[each.kind] == 1:
                log.warning("%s: %s; it is sent, since validate is 'warn'", self._endpoint, each.fault.text)
        return ()


def default_for(server: str) -> Validate:
    """Give what is done with faults where nobody said it."""
    return "strict" if server in OPENAI_SERVERS else "warn"


def check_of(
    endpoint: EndpointTemplate, template: BodyTemplate, validate: Validate, *, in_url: AbstractSet[str] = frozenset()
) -> BodyCheck | None:
    """Look at what is the same for all records, and give what looks at the rest of each; None where nothing is left.

    :param in_url: fields that need not be in a body, since the URL says them.

    Raises ConfigurationError with all faults that all records share, or logs them when ``validate`` is ``warn``.
    """
    model = None if validate == "off" else model_of(endpoint)
    if model is None:
        return None
    constants, names = template.constants(), template.names()
    packed = {endpoint.packing.request_field} if endpoint.packing else set()  # the packer looks at these itself
    left = (names_of(model) - in_url if names is None else names) - constants.keys() - packed
    check = BodyCheck(model, endpoint.name, fields=left, is_strict=validate == "strict")
    check.tell_unknown(names or constants)
    absent = set() if names is None else names_of(model) - names - in_url  # in every body
    shared = absent | constants.keys()
    found = _found_in_json(_validator_of(model, shared), constants)
    _tell_shared([f"{endpoint.name}: {each.fault.text}" for each in found], is_strict=validate == "strict")
    return check if left else None


def _tell_shared(faults: Sequence[str], *, is_strict: bool) -> None:
    if faults and is_strict:
        raise ConfigurationError(*faults)
    for fault in faults:
        log.warning("%s; it is sent with every record, since validate is 'warn'", fault)


def _found_in_json(validator: SchemaValidator, body: Mapping[str, Any]) -> list[Found]:
    """Look at a body as it is written: a date is a text there, and a tuple a list."""
    try:
        validator.validate_json(encode_json(body))
    except ValidationError as error:
        return faults_of(error, body)
    except RecordError:  # it can't be written, and is rejected for that
        return []
    return []


def names_of(model: type[BodyModel]) -> set[str]:
    """Name the fields of a model as they stand in a body."""
    return {info.alias or name for name, info in model.model_fields.items()}


def _validator_of(model: type[BodyModel], fields: AbstractSet[str]) -> SchemaValidator:
    """Make what looks at some fields of a model."""
    wanted: dict[str, Any] = {
        name: (info.annotation, info) for name, info in model.model_fields.items() if (info.alias or name) in fields
    }
    part: type[BaseModel] = create_model(model.__name__, __config__=model.model_config, **wanted)
    validator: SchemaValidator = part.__pydantic_validator__  # type: ignore[assignment]
    return validator
