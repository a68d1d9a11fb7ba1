"""Entry points: what command lines start, and where the files are that hold command lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from guard.entrypoints import find_entry_points
from guard.entrypoints.commands import starts_in
from guard.entrypoints.declared import in_setup_py
from guard.entrypoints.files import served_in
from guard.sources.directory import DirectoryTree


@pytest.mark.parametrize(
    ("command", "started"),
    [
        ("uvicorn app.main:app --host 0.0.0.0 --port 8000", "app.main"),
        ("uvicorn --factory app.main:create_app", "app.main"),
        ("uvicorn app.main:create_app --factory", "app.main"),
        ("exec uvicorn app.main:app", "app.main"),
        ("FOO=1 BAR='a b' uvicorn app.main:app", "app.main"),
        ("env -u X A=1 uvicorn app.main:app", "app.main"),
        ("uv run --no-sync uvicorn app.main:app", "app.main"),
        ("poetry run uvicorn app.main:app", "app.main"),
        ("pipenv run python -m app", "app"),
        ("dumb-init -- uvicorn app.main:app", "app.main"),
        ("/usr/bin/tini -g -- gunicorn app.main:app", "app.main"),
        ("gosu app:app gunicorn app.wsgi:application", "app.wsgi"),
        ("opentelemetry-instrument --traces_exporter otlp gunicorn app.wsgi", "app.wsgi"),
        ("gunicorn -k uvicorn.workers.UvicornWorker app.main:app", "uvicorn.workers app.main"),
        ("gunicorn -k app.workers.Slow -b :8000 app.main:app", "app.workers app.main"),
        ("gunicorn -c deploy/gunicorn.conf.py app.main:create_app()", "deploy/gunicorn.conf.py app.main"),
        ("gunicorn 'app.main:create_app(\"prod\")'", "app.main"),
        ("gunicorn --bind 0.0.0.0:80 --workers 4 app.wsgi", "app.wsgi"),
        ("gunicorn -c python:app.gunicorn_config app.wsgi:app", "app.gunicorn_config app.wsgi"),
        ("hypercorn app.main:app", "app.main"),
        ("daphne -b 0.0.0.0 -p 8001 site.asgi:application", "site.asgi"),
        ("waitress-serve --port=80 --call app.main:create", "app.main"),
        ("granian --interface asgi app.main:app", "app.main"),
        ("uwsgi --http :80 --module app.wsgi:application", "app.wsgi"),
        ("uwsgi --wsgi-file app/wsgi.py", "app/wsgi.py"),
        ("celery -A app.worker worker -l info", "app.worker"),
        ("celery --app=app.worker:celery beat", "app.worker"),
        ("celery -Aapp.worker worker", "app.worker"),
        ("python -m celery -A app.worker worker", "app.worker"),
        ("fastapi run app/main.py --port 80", "app.main"),
        ("fastapi run --workers 4 app/main.py", "app.main"),
        ("fastapi run --port 80", ""),
        ("fastapi dev --entrypoint app.main:api", "app.main"),
        ("flask --app app.main run", "app.main"),
        ("flask --app app/main.py:create run", "app.main"),
        ("FLASK_APP=app.main flask run", "app.main"),
        ("dramatiq app.tasks", "app.tasks"),
        ("taskiq worker app.broker:broker", "app.broker"),
        ("arq app.worker.Settings", "app.worker"),
        ("streamlit run ui/home.py --server.port 80", "ui/home.py"),
        ("python -m app", "app"),
        ("python3.12 -u -W error -m app.main --flag", "app.main"),
        ("python -um app.main", "app.main"),
        ("/opt/venv/bin/python app/main.py", "app/main.py"),
        ("python -X dev app/main.py", "app/main.py"),
        ("python -m uvicorn app.main:app", "app.main"),
        ("python -m debugpy --listen 0.0.0.0:5678 -m uvicorn app.main:app", "app.main"),
        ("coverage run -m app", ""),
        ("python -m coverage run -m app.main", "app.main"),
        ("python -c 'import app'", ""),
        ("python manage.py runserver", "manage.py"),
        ("./run.py --port 80", "./run.py"),
        ("sh -c 'uvicorn app.main:app'", "app.main"),
        ('bash -lec "cd /srv && exec gunicorn app.wsgi:app"', "app.wsgi"),
        ("bash -e ./start.sh", "./start.sh"),
        ("./docker-entrypoint.sh uvicorn app.main:app", "./docker-entrypoint.sh app.main"),
        ("alembic upgrade head && uvicorn app.main:app", "app.main"),
        ("python -m app.migrate; python -m app.serve", "app.migrate app.serve"),
        ("(python -m app.a &) ; python -m app.b | tee log", "app.a app.b"),
        ("uvicorn ${APP:-app.main:app} > log 2>&1", "app.main"),
        ("M=app.main; uvicorn $M:app", "app.main"),
        ("export M=app.main:app\nexec uvicorn $M", "app.main"),
        ("uvicorn $UNKNOWN", ""),
        ("uvicorn app.main:app # not gunicorn b:c", "app.main"),
        ("wait-for-it db:5432 -- uvicorn app.main:app", "app.main"),
        ("if [ -n x ]; then python -m app.a; else python -m app.b; fi", "app.a app.b"),
        ("echo uvicorn app.main:app", ""),
        ("pip install uvicorn app.main:app", ""),
        ("uvicorn 'app.main:app", ""),
        ("", ""),
        ("nginx -g 'daemon off;'", ""),
    ],
)
def test_commands(command: str, started: str) -> None:
    assert [start.module or start.script for start in starts_in(command)] == started.split()


def named(folder: Path, files: Mapping[str, str]) -> set[tuple[str, int, str]]:
    """File, line and target of every entry point."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    found = find_entry_points(DirectoryTree(str(folder)))
    assert all(bool(entry.module) != bool(entry.script) for entry in found)
    return {(entry.path, entry.line, entry.module or entry.script) for entry in found}


def test_dockerfiles(tmp_path: Path) -> None:
    assert named(
        tmp_path,
        {
            "Dockerfile": 'FROM a AS b\nCMD ["python", \\\n  # with a comment\n  "-m", "app.one"]\n'
            "FROM c\nENV FLASK_APP=app.two X=1\nENV OLD app.three\nENTRYPOINT exec flask run\n"
            "HEALTHCHECK --interval=5s \\\n  CMD python health.py\nONBUILD CMD python onbuild.py\n",
            "api/Dockerfile": 'FROM a\nENTRYPOINT ["uvicorn"]\nCMD ["app.main:app", "--port", "80"]\n',
            "job/worker.Dockerfile": "FROM a\nENTRYPOINT [ 'python', 'job/run.py' ]\n",
            "job/Dockerfile.dev": 'FROM a\nENTRYPOINT ["tini", "--"]\nCMD sh -c "python -m job"\n',
            "Dockerfile.md": "CMD python no.py\n",
            ".dockerignore": "CMD python no.py\n",
        },
    ) == {
        ("Dockerfile", 2, "app.one"),
        ("Dockerfile", 8, "app.two"),
        ("api/Dockerfile", 3, "app.main"),
        ("job/worker.Dockerfile", 2, "job/run.py"),
        ("job/Dockerfile.dev", 3, "job"),
    }


def test_scripts_that_dockerfiles_start(tmp_path: Path) -> None:
    found = named(
        tmp_path,
        {
            "api/Dockerfile": 'FROM a\nENV MODULE=app.main\nCMD ["./start.sh"]\n',
            "api/start.sh": "#!/bin/sh\nset -e\n# python -m commented\nmigrate() {\n  python -m app.migrate\n}\n"
            'TARGET="$MODULE:app"\n. ./more.sh\nexec uvicorn \\\n  "$TARGET"\n',
            "api/more.sh": "celery -A app.worker worker &\n./start.sh\n",
            "web/Dockerfile": 'FROM a\nENTRYPOINT ["/srv/deploy/web-entry.sh"]\n',
            "deploy/web-entry.sh": 'gunicorn web.wsgi\nexec "$@"\n',
            "unused.sh": "python -m nobody\n",
        },
    )
    assert found == {
        ("api/Dockerfile", 3, "./start.sh"),
        ("api/start.sh", 5, "app.migrate"),
        ("api/start.sh", 8, "./more.sh"),
        ("api/start.sh", 9, "app.main"),
        ("api/more.sh", 1, "app.worker"),
        ("api/more.sh", 2, "./start.sh"),
        ("web/Dockerfile", 2, "/srv/deploy/web-entry.sh"),
        ("deploy/web-entry.sh", 1, "web.wsgi"),
    }


def test_compose(tmp_path: Path) -> None:
    compose = """\
x-base: &base
  command: python -m app.base
services:
  api:
    command: uvicorn app.main:app
  list:
    entrypoint: ["dumb-init", "--"]
    command:
      - gunicorn
      - app.wsgi:application
  folded:
    command: >
      sh -c "alembic upgrade head &&
             uvicorn app.folded:app"
  merged:
    <<: *base
  label:
    labels: {command: python -m not.a.command}
volumes:
  command: python -m neither.this
"""
    assert named(tmp_path, {"docker-compose.prod.yml": compose}) == {
        ("docker-compose.prod.yml", 2, "app.base"),
        ("docker-compose.prod.yml", 5, "app.main"),
        ("docker-compose.prod.yml", 9, "app.wsgi"),
        ("docker-compose.prod.yml", 12, "app.folded"),
    }


def test_manifests(tmp_path: Path) -> None:
    deployment = """\
apiVersion: v1
kind: ConfigMap
data: {command: python -m not.this}
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
        - command: [python, -m, app.migrate]
      containers:
        - command: ["/bin/sh", "-c"]
          args:
            - |
              set -e
              exec uvicorn app.main:app
---
apiVersion: batch/v1
kind: CronJob
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - args: [celery, -A, app.worker, beat]
"""
    cloud_run = "kind: Service\nspec: {template: {spec: {containers: [{command: [python, serve.py]}]}}}\n"
    job = "kind: Job\nspec: {template: {spec: {template: {spec: {containers: [{command: [python, job.py]}]}}}}}\n"
    templated = "kind: Deployment\nspec: {{ .Values.spec }}\ncommand: [python, -m, lost]\n"
    found = named(tmp_path, {"k8s/app.yaml": deployment, "run.yml": cloud_run, "job.yml": job, "chart.yaml": templated})
    assert found == {
        ("k8s/app.yaml", 11, "app.migrate"),
        ("k8s/app.yaml", 15, "app.main"),
        ("k8s/app.yaml", 27, "app.worker"),
        ("run.yml", 2, "serve.py"),
        ("job.yml", 2, "job.py"),
    }


def test_other_files(tmp_path: Path) -> None:
    assert named(
        tmp_path,
        {
            "Procfile": "web: gunicorn app.wsgi\nrelease: python manage.py migrate\n",
            "pyproject.toml": '[project.scripts]\na = "app.cli:main"\n[project.gui-scripts]\nb = "app.gui:main"\n'
            '[tool.poetry.scripts]\nc = "app.old:main"\nd = { reference = "app.ref:main", type = "console" }\n',
            "lib/setup.cfg": "[options.entry_points]\nconsole_scripts =\n  x = lib.cli:main [extra]\n  y = lib.all\n",
            "old/setup.py": "from setuptools import setup\n"
            "setup(entry_points={'console_scripts': [\n    'z = old.cli:main', f'{1}']})\n",
            "etc/supervisord.conf": "[program:a]\ncommand=python -m sup.main \\\n  --port 80\n",
            "etc/worker.service": "[Service]\nExecStart=-/usr/bin/python /srv/unit/run.py\n",
            "site/manage.py": "",
            "site/wsgi.py": "",
            "site/asgi.py": "",
        },
    ) == {
        ("Procfile", 1, "app.wsgi"),
        ("Procfile", 2, "manage.py"),
        ("pyproject.toml", 2, "app.cli"),
        ("pyproject.toml", 4, "app.gui"),
        ("pyproject.toml", 6, "app.old"),
        ("pyproject.toml", 7, "app.ref"),
        ("lib/setup.cfg", 3, "lib.cli"),
        ("lib/setup.cfg", 4, "lib.all"),
        ("old/setup.py", 3, "old.cli"),
        ("etc/supervisord.conf", 2, "sup.main"),
        ("etc/worker.service", 2, "/srv/unit/run.py"),
        *((f"site/{name}", 1, f"site/{name}") for name in ("manage.py", "wsgi.py", "asgi.py")),
    }


def test_a_module_of_a_package_is_no_entry_point_by_its_name_alone(tmp_path: Path) -> None:
    assert named(
        tmp_path,
        {
            "a/__init__.py": "",
            "a/manage.py": "class Rooms: ...\n",
            "a/wsgi.py": "class Server:\n    def __init__(self, app):\n        self.app = app\n",
            "a/asgi.py": "def to_app(it): ...\n",
            "b/__init__.py": "",
            "b/manage.py": "if __name__ == '__main__':\n    run()\n",
            "b/wsgi.py": "application = get_wsgi_application()\n",
            "b/asgi.py": "from b.made import app\n",
        },
    ) == {(f"b/{name}", 1, f"b/{name}") for name in ("manage.py", "wsgi.py", "asgi.py")}


ALIASES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("Dockerfile", "FROM a\nCMD " + "[" * 100_000),
        ("Dockerfile", "CMD " + "'\"'" * 30_000),
        ("Dockerfile", "CMD " + "sh -c '" * 2_000),
        ("Dockerfile", 'CMD ["sh", 1, null, ["-c"], {}]\nENTRYPOINT {}\nENTRYPOINT\nENV\nENV =\n'),
        ("compose.yaml", "command: " + "[" * 20_000),
        ("compose.yaml", "command:\n" + "- " * 20_000),
        ("compose.yaml", "command: x\nservices: *nobody\n"),
        ("compose.yaml", "command: x\nservices: &a [*a]\n"),
        ("compose.yaml", "command: x\nservices:\n\t- x\n"),
        ("compose.yaml", 'command: "\\UFFFFFFFF"\n'),
        ("compose.yaml", "command: x\na: &a 1\nb: &a 2\n"),
        ("compose.yaml", ALIASES + "services: {s: *a8, command: x}\n"),
        ("compose.yaml", "services: {a: [], b: {command: }, c: {command: {}}, d: {command: [[a], {}, 1]}}\n"),
        ("compose.yaml", "%YAML 9.9\n---\ncommand: \x00\n"),
        ("pod.yaml", "kind: Pod\nspec: {containers: [{command: 1}, [], {args: {}}, null]}\n"),
        ("pyproject.toml", "a = " + "[" * 20_000),
        ("pyproject.toml", "project = 1\ntool = {poetry = []}\n"),
        ("pyproject.toml", "[project]\nscripts = ['a']\n[tool.poetry.scripts]\nb = 1\nc = {}\n"),
        ("setup.cfg", "[options.entry_points\nconsole_scripts"),
        ("setup.py", "{**x, 'console_scripts': y}\n" + "-" * 5_000 + "1"),
        ("setup.py", "\0"),
        ("Procfile", "web\n:\n::: '\n"),
        ("x.service", "ExecStart=\ncommand = '\n"),
    ],
)
def test_malformed_files_start_nothing(tmp_path: Path, path: str, content: str) -> None:
    assert named(tmp_path, {path: content}) == set()


def test_modules_handed_to_a_server_in_code() -> None:
    code = 'if x:\n    uvicorn.run(\n        "app.main:app")\n# uvicorn.run("not.this:app")\nrun("nor.this:x")\n'
    assert list(served_in(code)) == ["app.main"]


def test_setup_py_is_not_run() -> None:
    code = "raise SystemExit\nsetup(entry_points={'console_scripts': 'a = b.c:d'})\n"
    assert [(found.start.module, found.start.attribute) for found in in_setup_py(code)] == [("b.c", "d")]
