"""Where things are: the two volumes of a worker, JMeter, k6, and the file of versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Control:
    """Files of the collector (`/volley/control`); this program only reads them."""

    root: Path

    @property
    def launch(self) -> Path:
        return self.root / "launch.json"

    @property
    def refused(self) -> Path:
        return self.root / "refused.json"

    @property
    def start(self) -> Path:
        return self.root / "start"

    @property
    def stop(self) -> Path:
        return self.root / "stop.json"

    @property
    def uploaded(self) -> Path:
        return self.root / "uploaded"

    @property
    def consumed(self) -> Path:
        return self.root / "consumed.json"


@dataclass(frozen=True)
class Work:
    """Files of this container (`/volley/work`); the collector only reads them."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def workspace(self) -> Path:
        """Copy of the collector's workspace: Taurus writes a changed JMX beside the original."""
        return self.root / "workspace"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def log(self) -> Path:
        return self.root / "taurus.log"

    @property
    def forced_configuration(self) -> Path:
        return self.root / "forced.json"

    @property
    def status(self) -> Path:
        return self.root / "status"

    @property
    def prepared(self) -> Path:
        return self.status / "prepared.json"

    @property
    def released(self) -> Path:
        return self.status / "released.json"

    @property
    def health(self) -> Path:
        return self.status / "health.csv"

    @property
    def failed(self) -> Path:
        return self.status / "failed.json"

    @property
    def ended(self) -> Path:
        return self.status / "ended.json"


@dataclass(frozen=True)
class Folders:
    """All places, as the environment names them."""

    control: Control
    work: Work
    jmeter: Path
    """JMeter's start script."""
    k6: Path
    versions: Path
    """container/versions.env, or its copy in the image."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Folders":
        """Read VOLLEY_CONTROL_DIR, VOLLEY_WORK_DIR, VOLLEY_JMETER, VOLLEY_K6; the defaults are those of the image."""
        package = Path(__file__).resolve().parent
        candidates = (package.parent / "versions.env", package.parent.parent / "versions.env")
        return cls(
            control=Control(Path(environment.get("VOLLEY_CONTROL_DIR", "/volley/control")).absolute()),
            work=Work(Path(environment.get("VOLLEY_WORK_DIR", "/volley/work")).absolute()),
            jmeter=Path(environment.get("VOLLEY_JMETER", "/opt/jmeter/bin/jmeter")).absolute(),
            k6=Path(environment.get("VOLLEY_K6", "/opt/k6/k6")).absolute(),
            versions=next((path for path in candidates if path.is_file()), candidates[0]),
        )


def read_versions(path: Path) -> dict[str, str]:
    """Read `KEY=value` lines; `#` starts a comment line."""
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}
