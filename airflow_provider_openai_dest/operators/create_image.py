"""OpenAICreateImageOperator: images made or edited for every record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.operators.arguments import is_final, refuse, refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.rendering.image_rules import OF_A_FORMAT, image_faults, is_reference
from airflow_provider_openai_dest.rendering.placeholders import parse_text

if TYPE_CHECKING:
    from airflow_provider_openai_dest.rendering.renderer import Renderer
    from airflow_provider_openai_dest.rendering.request_form import RequestForm


class OpenAICreateImageOperator(OpenAISendRecordsOperator):
    """Make images from a prompt, or edit images, one or more for every record.

    The images are written to ``{results}/images/{key}-{n}.{ext}``; the outcome holds their paths. All parameters of
    OpenAISendRecordsOperator apply.

    :param model: such as ``gpt-image-2``; there is no default, since a silent change of model is a change of price.
    :param prompt: what to draw or change, such as ``A photo of {message.name}``; up to 32,000 characters.
    :param image: what to edit, such as ``{message.photo}``: path or URI of a file, an https or data URL, the id of an
        uploaded file, or a list of up to 16 of them. Files must be below ``files_root``.
    :param mask: the same for a PNG whose transparent places are edited, of the first image's size.
    :param markup: path or URI of a transparent PNG that is laid over the first image to guide the edit; not with
        ``mask``, and for files only.
    :param n: images for each record, 1 to 10.
    :param size: ``auto``, ``1024x1024``, ``1536x1024``, ``1024x1536``, or another ``WxH`` that the model takes.
    :param quality: ``auto``, ``low``, ``medium``, ``high``, or what the model takes.
    :param background: ``transparent`` (for png and webp), ``opaque`` or ``auto``.
    :param output_format: ``png``, ``jpeg``, ``webp``, ``gif`` or ``svg``.
    :param output_compression: 0 to 100, for jpeg and webp.
    :param moderation: ``auto`` or ``low``; for new images, and edits of URLs and file ids.
    :param complexity: ``low``, ``medium`` or ``high``: how much planning goes into the image.
    :param input_fidelity: ``low`` or ``high``: how closely an edit keeps to its images; older models only.
    :param frame_count: pictures of a gif, 2 to 16.
    :param frame_duration_ms: milliseconds that each picture of a gif is shown.
    :param svg: the author of an svg, such as ``{"model": "gpt-6-sol"}``.
    :param safety_identifier: stable identifier of the end user, passed on to OpenAI.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        prompt: str | None = None,
        image: Any = None,
        mask: Any = None,
        markup: str | None = None,
        n: int | None = None,
        size: str | None = None,
        quality: str | None = None,
        background: str | None = None,
        output_format: str | None = None,
        output_compression: int | None = None,
        moderation: str | None = None,
        complexity: str | None = None,
        input_fidelity: str | None = None,
        frame_count: int | None = None,
        frame_duration_ms: int | None = None,
        svg: dict[str, Any] | None = None,
        safety_identifier: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint", "fields")
        fields = {
            "model": model,
            "prompt": prompt,
            "image": image,
            "mask": mask,
            "markup": markup,
            "n": n,
            "size": size,
            "quality": quality,
            "background": background,
            "output_format": output_format,
            "output_compression": output_compression,
            "moderation": moderation,
            "complexity": complexity,
            "input_fidelity": input_fidelity,
            "frame_count": frame_count,
            "frame_duration_ms": frame_duration_ms,
            "svg": svg,
            "safety_identifier": safety_identifier,
        }
        endpoint = "create_image" if image is None else "create_image_edit"
        super().__init__(endpoint=endpoint, fields=fields, **kwargs)

    def argument_checks(self) -> Iterable[Callable[[], object]]:
        """Give what looks at the arguments, the images and what depends on the model as well."""
        yield from super().argument_checks()
        yield self._check_images

    def _check_images(self) -> None:
        faults = list(_edit_faults(self.fields, self.files_root))
        if self.validate in (None, "strict"):
            faults += _constant_faults(self.fields, self.body)
        refuse(*faults)

    def renderer(self, form: RequestForm) -> Renderer:
        """Make what renders new images, or edits in the form that each record's images need."""
        if "image" not in self.fields:
            return super().renderer(form)
        from airflow_provider_openai_dest.rendering.duplicates import new_originals
        from airflow_provider_openai_dest.rendering.image_edits import EditRenderer

        return EditRenderer(form, self.body_template(), new_originals(form.endpoint, self.deduplicate))


def _edit_faults(fields: Mapping[str, Any], files_root: str | None) -> Iterator[str]:
    for name in ("mask", "markup"):
        if name in fields and "image" not in fields:
            yield f"{name}= needs image=: the image that is edited"
    image = _known(fields.get("image"))
    images = image if isinstance(image, (list, tuple)) else [image]
    if files_root is None and any(_known(each) is not None and not is_reference(each) for each in images):
        yield "image= needs files_root=: the folder that the images are in"


def _constant_faults(fields: Mapping[str, Any], body: Any) -> list[str]:
    """Find what the API would refuse of the values that are the same for all records."""
    given = {**body, **fields} if isinstance(body, Mapping) else fields
    known = {name: value for name, each in given.items() if (value := _known(each)) is not None}
    is_open = body is not None and not isinstance(body, Mapping)
    if "output_format" not in known and (is_open or given.get("output_format") is not None):
        known = {name: value for name, value in known.items() if name not in OF_A_FORMAT}
    return [text for _, text in image_faults(known)]


def _known(value: Any) -> Any:
    """Give a value that is known when the Dag is parsed; None where a record or Jinja fills it."""
    if not is_final(value):
        return None
    return parse_text(value, "field").plain if isinstance(value, str) else value
