import json, os, pathlib, pytest
from airflow_provider_openai_dest import *
from tests.airflow.operator_context import *
Q=[{"id":n,"q":f"question {n}"} for n in "abcdef"]
def say(name, op, **w):
    try: e=attempt(op() , **w).error
    except Exception as x: e=x
    print(f"\n## {name}\n   {type(e).__name__}: {e}")
def test_all(sandbox,tmp_path,monkeypatch,capsys):
    def ask(**a):
        return lambda: OpenAIManualRequestOperator(**{"task_id":"ask","results":str(tmp_path/str(len(list(tmp_path.iterdir())))),"records":Q,"key":"id"}|ASK|a)
    def S(**a): return lambda: OpenAISendRecordsOperator(**{"task_id":"s","endpoint":"create_embedding","results":str(tmp_path/"s")}|a)
    f=sandbox.set_faults
    out=[]
    with capsys.disabled():
        f("status=401"); say("401", ask())
        f("status=403"); say("403", ask())
        f("status=429,code=insufficient_quota"); say("quota", ask())
        f("status=404,code=model_not_found,message=The model `gpt-7` does not exist or you do not have access to it."); say("404 few", ask()); say("404 all", ask(records=Q*5,key=None))
        f("status=400,match=question a"); say("rejected", ask())
        f("reset_after_work,match=question a"); say("lost", ask(ambiguous_retries=0))
        f("status=500,retry_after=0.01"); say("500", ask(records=Q[:1]));
        f("status=500,retry_after=0.01"); say("500 many", ask(records=Q*10,key=None));
        f("status=400,path=/sandbox/inbox,match=question d"); say("hook refused", ask(webhook_conn_id="openai_dest_webhook_default"))
        f("status=503,path=/sandbox/inbox,match=question d,retry_after=0.01"); say("hook busy", ask(webhook_conn_id="openai_dest_webhook_default"))
        f("status=410,path=/sandbox/inbox"); say("hook gone", ask(webhook_conn_id="openai_dest_webhook_default"))
        f()
        say("no conn", ask(conn_id="nope"))
        say("wrong type conn", ask(conn_id="openai_dest_webhook_default"))
        say("webhook conn is openai", ask(webhook_conn_id="openai_dest_default"))
        say("fields= on thin", lambda: OpenAIEmbeddingOperator(task_id="x",model="m",input="i",fields={"a":1}))
        say("endpoint= on thin", lambda: OpenAIEmbeddingOperator(task_id="x",model="m",input="i",endpoint="create_image"))
        say("no purpose", lambda: OpenAIUploadFileOperator(task_id="x",records=Q))
        say("no url", lambda: OpenAIManualRequestOperator(task_id="x"))
        say("no endpoint", lambda: OpenAISendRecordsOperator(task_id="x"))
        say("no model", S(fields={"input":"{message.q}"},records=Q))
        say("embedding without input", lambda: OpenAIEmbeddingOperator(task_id="e",model="text-embedding-3-small",records=Q,results=str(tmp_path/"e")))
        say("embedding without records", lambda: OpenAIEmbeddingOperator(task_id="e",model="text-embedding-3-small",input="{message.q}",results=str(tmp_path/"e2")))
        say("unknown kw", S(recrods=Q, conn="a"))
        say("bad key", ask(key="a..b"))
        say("source missing", ask(records=None,source=f"{tmp_path}/none.jsonl"))
        say("source folder", ask(records=None,source=f"{tmp_path}"))
        (tmp_path/"x.dat").write_text("a")
        say("source ext", ask(records=None,source=f"{tmp_path}/x.dat"))
        say("source parquet", ask(records=None,source=f"{tmp_path}/x.parquet")); (tmp_path/"x.parquet").write_text("a"); say("source parquet", ask(records=None,source=f"{tmp_path}/x.parquet",key=None))
        say("source s3", ask(records=None,source="s3://bucket/x.jsonl"))
        say("source list", ask(records=None,source=[f"{tmp_path}/x.dat"]))
        say("records bytes", ask(records=b"abc")); say("records set", ask(records={1,2})); say("records gen", ask(records=(x for x in Q)))
        say("python text", ask(records="{{ [{'a': 1}] }}"))
        say("duplicate keys", ask(records=Q+Q))
        say("hostile", ask(url="https://evil.example/x")); say("hostile2", ask(url="/../x")); say("empty", ask(url=""))
        say("method", ask(method="FETCH")); say("header", ask(headers={"Authorization":"x"})); say("header int", ask(headers={"X":1}))
        say("path field", ask(url="/files/{file_id}",body=None,method="GET"))
        say("files_root", ask(url="/files",content_format="multipart",file_fields=["file"],body={"file":"{message.q}","purpose":"user_data"}))
        say("purpose", lambda: OpenAIUploadFileOperator(task_id="x",purpose="finetune"))
        say("endpoint", S(endpoint="create_embeddings")); say("endpoint none alike", S(endpoint="zzz")); say("retired", S(endpoint="create_video"))
        say("body template", S(body={"input":"{message.a b}"})); say("body", S(body="{'a': 1}")); say("body jinja", S(body={"a":"{{ x }"}))
        say("results unwritable", ask(results="/proc/x"))
        say("results file", ask(results=str(tmp_path/"x.dat")))
        say("killed", lambda: (lambda o:(o.on_kill(),o)[1])(ask()()))
        monkeypatch.setenv("AIRFLOW_CONN_DNS", webhook_connection("https://no-such-host.invalid/x")); say("hook dns", ask(webhook_conn_id="dns"))
        monkeypatch.setenv("AIRFLOW_CONN_DOWN", openai_connection("http://127.0.0.1:9/v1")); say("openai down", ask(conn_id="down",records=Q[:1]))
        monkeypatch.setenv("AIRFLOW_CONN_BAD", json.dumps({"conn_type":"openai_dest","host":"http://api.openai.com","extra":{"rpm":"x","timeout":-1,"proxy":"::","ca_bundle":"/no","default_headers":{"host":"a"}}})); say("bad conn", ask(conn_id="bad"))
        say("manifest", lambda: OpenAIWebhookOperator(task_id="w",manifest={"a":1},results=str(tmp_path/"w")))
        o=ask(results=str(tmp_path/"chg")); f("reset_after_work,match=question a"); attempt(OpenAIManualRequestOperator(task_id="ask",results=str(tmp_path/"chg"),records=Q,key="id",ambiguous_retries=0,**ASK)); f()
        say("changed", ask(results=str(tmp_path/"chg"),url="/chat/completions"), try_number=2)
