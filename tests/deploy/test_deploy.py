"""What is in deploy/ loads, fits together, and decides with a real PDP."""

from __future__ import annotations

import argparse
import configparser
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from polling import until
from served import Served, body
from sessions import session

from authorizer.cli import serve
from authorizer.cli.main import main
from authorizer.config.addresses import parse_listener
from authorizer.config.loading import load
from authorizer.pdp.binary import find_cerbos

if TYPE_CHECKING:
    from authorizer.config.settings import Settings

ROOT: Final = Path(__file__).parents[2]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
SYSTEMD: Final = ROOT / "deploy" / "systemd"
DOCS: Final = (ROOT / "docs" / "deploy.md").read_text()


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text()))


def config_map(name: str) -> dict[str, str]:
    (found,) = (
        document["data"]
        for document in documents("configuration.yaml")
        if document["metadata"]["name"] == name
    )
    assert isinstance(found, dict)
    return found


def pod() -> Any:  # noqa: ANN401 - YAML
    (deployment,) = documents("deployment.yaml")
    return deployment["spec"]["template"]


def containers() -> dict[str, Any]:
    spec = pod()["spec"]
    return {one["name"]: one for one in (*spec["initContainers"], *spec["containers"])}


def flags(words: list[str]) -> argparse.Namespace:
    """Return what `authorizer` makes of a command line; fails where it would."""
    parser = argparse.ArgumentParser()
    serve.register(parser.add_subparsers())
    return parser.parse_args(words)


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """Put every ConfigMap into a folder as its volume has it, with addresses of this machine."""
    volumes = {volume["name"]: volume for volume in pod()["spec"]["volumes"]}
    moved = {
        mount["mountPath"]: str(tmp_path / mount["name"])
        for container in containers().values()
        for mount in container["volumeMounts"]
    }
    mounted = re.compile(rf"(?<![\w/])({'|'.join(moved)})(?![\w-])")
    for name, volume in volumes.items():
        (tmp_path / name).mkdir()
        content = config_map(volume["configMap"]["name"]) if "configMap" in volume else {}
        for file, text in content.items():
            (tmp_path / name / file).write_text(mounted.sub(lambda path: moved[path[1]], text))
    return tmp_path


@pytest.fixture
def settings(unpacked: Path) -> Settings:
    return load(unpacked / "config" / "authorizer.yaml", environ={}).settings


def test_every_volume_is_mounted_and_every_mount_is_a_volume() -> None:
    mounted = {
        mount["name"] for container in containers().values() for mount in container["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in pod()["spec"]["volumes"]}


def test_the_ports_are_the_same_everywhere(settings: Settings) -> None:
    ports = {
        "authorize": parse_listener(settings.server.listen).port,
        "admin": parse_listener(settings.admin.listen).port,
    }
    container = containers()["authorizer"]
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == ports
    (service,) = documents("service.yaml")
    assert [one["port"] for one in service["spec"]["ports"]] == [ports["authorize"]]
    assert [one["targetPort"] for one in service["spec"]["ports"]] == ["authorize"]
    (policy,) = documents("networkpolicy.yaml")
    allowed = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    assert allowed == [ports["authorize"], ports["admin"]]
    assert pod()["metadata"]["annotations"]["prometheus.io/port"] == str(ports["admin"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    assert f"EXPOSE {ports['authorize']}" in (ROOT / "Dockerfile").read_text()


def test_labels_select_the_pods() -> None:
    (service,), (policy,) = documents("service.yaml"), documents("networkpolicy.yaml")
    (deployment,) = documents("deployment.yaml")
    labels = pod()["metadata"]["labels"]
    assert service["spec"]["selector"] == labels
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert deployment["spec"]["selector"]["matchLabels"] == labels


def test_kubernetes_waits_longer_than_draining_takes(settings: Settings) -> None:
    server = settings.server
    assert server.drain_delay is not None
    longest = server.drain_delay + server.drain_timeout
    assert pod()["spec"]["terminationGracePeriodSeconds"] > longest
    readiness = containers()["authorizer"]["readinessProbe"]
    assert server.drain_delay > readiness["periodSeconds"] * readiness["failureThreshold"]


def test_the_command_lines_are_ours() -> None:
    container = containers()["authorizer"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert flags(container["args"]).config == Path(mounts["config"]) / "authorizer.yaml"


@pytest.mark.integration
def test_the_pod_decides(unpacked: Path) -> None:
    """The two programs, with the files as their volumes have them, and free ports."""
    config = unpacked / "cerbos-config" / "config.yaml"
    command = containers()["cerbos"]["args"]
    words = [word.replace("/config/config.yaml", str(config)) for word in command]
    with subprocess.Popen([find_cerbos(), *words], stderr=subprocess.DEVNULL) as pdp:
        try:
            until(lambda: is_listening(unpacked / "sockets" / "grpc.sock"))
            probe = containers()["cerbos"]["livenessProbe"]["exec"]["command"][1:]
            asked = [word.replace("/config/config.yaml", str(config)) for word in probe]
            subprocess.run([find_cerbos(), *asked], check=True, capture_output=True)
            ports = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
            file = str(unpacked / "config" / "authorizer.yaml")
            served = Served(unpacked, ("--config", file, *ports))
            served.start()
            try:
                ann = session({"org": "acme"}, expires_at="2099-01-01T00:00:00Z")
                assert served.ask(body(extra=ann)).status == 200
                globex = body("/orgs/globex/documents/1", extra=ann)
                assert served.ask(globex).reason == "policy_deny"
                assert served.ask(body("/healthz")).reason == "route_allow"
            finally:
                served.end()
        finally:
            pdp.terminate()


def test_the_pdp_evaluates_as_the_examples_does() -> None:
    own = yaml.safe_load((ROOT / "cerbos" / "config.yaml").read_text())
    shipped = yaml.safe_load(config_map("cerbos-config")["config.yaml"])
    assert {key: shipped[key] for key in ("engine", "schema")} == {
        key: own[key] for key in ("engine", "schema")
    }


def test_the_policies_read_what_the_examples_identities_have(unpacked: Path) -> None:
    config = str(unpacked / "config" / "authorizer.yaml")
    lint("--config", config, "--policies", str(unpacked / "cerbos-policies"))


def lint(*arguments: str) -> None:
    """Hold policies and rules to the example's identities: no error, and no warning either."""
    identities = ("--identity-schema", str(ROOT / "kratos" / "identity.schema.json"))
    kratos = ("--kratos-config", str(ROOT / "kratos" / "kratos.yml"))
    assert main(["lint", "--strict", *identities, *kratos, *arguments]) == 0


# --- systemd


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys have capitals
    parser.read(SYSTEMD / "authorizer.service")
    return parser


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Put the files where the page has them installed; return the configuration."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    shutil.copytree(ROOT / "cerbos" / "policies", tmp_path / "policies")
    text = (SYSTEMD / "authorizer.yaml").read_text()
    file = tmp_path / "authorizer.yaml"
    file.write_text(text.replace("/usr/local/bin/cerbos", str(find_cerbos())))
    return file


def test_the_units_command_is_ours(unit: configparser.ConfigParser) -> None:
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "authorizer"
    assert flags(words).config == Path("/etc/authorizer/authorizer.yaml")


def test_the_unit_lets_it_drain_with_its_pdp(
    unit: configparser.ConfigParser, installed: Path
) -> None:
    variable, _, value = unit["Service"]["Environment"].partition("=")
    settings = load(installed, environ={variable: value}).settings
    assert unit["Service"]["KillMode"] == "mixed"
    assert float(unit["Service"]["TimeoutStopSec"]) > settings.server.drain_timeout
    assert settings.log.format.value == "json"


@pytest.mark.integration
def test_what_is_installed_decides_as_the_example_does(installed: Path) -> None:
    """The example's own suites, its scopes included."""
    assert main(["test", "--config", str(installed)]) == 0
    lint("--config", str(installed))


# --- the page


def test_every_file_is_named_on_the_page_and_the_other_way_round() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "deploy").rglob("*") if path.is_file()}
    assert set(re.findall(r"\.\./(deploy/[\w./-]+\.\w+)", DOCS)) == files


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL))
def test_every_configuration_on_the_page_is_accepted(text: str, tmp_path: Path) -> None:
    content = yaml.safe_load(text)
    if "authorizers" in content:
        return  # Oathkeeper's
    for name in ("rules", "policies", "tls"):
        (tmp_path / name).mkdir()
    for name in ("tls.crt", "tls.key"):
        (tmp_path / "tls" / name).touch(mode=0o440)
    file = tmp_path / "authorizer.yaml"
    file.write_text(text.replace("/etc/authorizer", str(tmp_path)))
    load(file, environ={})
