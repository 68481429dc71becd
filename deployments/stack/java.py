"""The base of Kafka and Kafka Connect: Java programs with a properties file."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deployments.stack.jars import class_path, java
from deployments.stack.service import Service

LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c)%n%throwable
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class JavaService(Service):
    """A Java program of the stack."""

    options: ClassVar[tuple[str, ...]]
    main_class: ClassVar[str]
    quiet: ClassVar[Mapping[str, str]]
    """Loggers that say more than anyone reads, with the level from which they may."""

    @abstractmethod
    def properties(self) -> Mapping[str, str]:
        """The program's configuration."""

    def prepare(self) -> None:
        """Writes the configuration; it is a consequence of settings and ports, never edited by hand."""
        lines = [f"{name}={value}\n" for name, value in self.properties().items()]
        (self.folder / "server.properties").write_text("".join(lines))
        loggers = [
            f"logger.q{n}.name = {name}\nlogger.q{n}.level = {level}\n"
            for n, (name, level) in enumerate(self.quiet.items())
        ]
        (self.folder / "log4j2.properties").write_text(LOGGING + "".join(loggers))

    def command(self) -> Sequence[str | Path]:
        """Runs the main class on the properties file."""
        return [*self.java(*self.options), self.main_class, "server.properties"]

    def java(self, *options: str) -> list[str | Path]:
        """The Java program with our class path, without a main class."""
        return [java(), *options, "-Dlog4j2.configurationFile=log4j2.properties", "-cp", class_path()]
