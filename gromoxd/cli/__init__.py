"""The command gromoxctl. Each group of commands is a module that is imported when it is asked for."""
