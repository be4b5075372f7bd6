"""Build hook: packs the wheel once more, as small as deflate can. Its contents and their order stay."""

from __future__ import annotations

import os
import zipfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SmallWheel(BuildHookInterface):  # type: ignore[type-arg]
    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        smaller = f"{artifact_path}.smaller"
        with zipfile.ZipFile(artifact_path) as wheel, zipfile.ZipFile(smaller, "w") as packed:
            for entry in wheel.infolist():
                packed.writestr(entry, wheel.read(entry), zipfile.ZIP_DEFLATED, compresslevel=9)
        os.replace(smaller, artifact_path)
