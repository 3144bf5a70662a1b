"""The one error that users are meant to see."""


class SpikeError(Exception):
    """Bad input or a bad state of files, told in one line.

    The message names the file, the place in it and the mend. The command line prints it and exits
    with 1; every other exception that reaches the command line is a defect of spike.
    """
