"""The one error that users are meant to see."""


class SpikeError(Exception):
    """Bad input or a bad state of files, told in one line.

    The message names the file, the place in it and the mend. The command line prints it and exits
    with 1; every other exception that reaches the command line is a defect of spike.
    """


class SettingError(SpikeError):
    """A setting that is out of range or contradicts another one; an option on the command line.

    Attributes:
        setting: its name.
        fault: what is wrong with it, and the mend.
    """

    def __init__(self, setting: str, fault: str) -> None:
        super().__init__(setting, fault)
        self.setting = setting
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.setting}: {self.fault}"
