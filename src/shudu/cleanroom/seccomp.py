"""Which system calls a job may make. Everything not listed answers EPERM.

One thread that computes on what it reads needs few. There is no call here that makes a process, a thread, a socket or a
file system change, so the filter holds even where another wall has a hole. There are two filters: the first holds
while bubblewrap starts Python and modules are imported; the second is put behind it before a model is read, and then no
program can be started and nothing loaded or written can become code.
"""

from __future__ import annotations

import errno
import tempfile

_COMPUTING = """
access brk capget clock_getres clock_gettime clock_nanosleep close dup epoll_create1 exit exit_group
faccessat faccessat2 fcntl fstat fstatfs futex get_robust_list getcwd getdents64 getegid geteuid getgid getpid getppid
getpriority getrandom getresgid getresuid getrlimit getrusage gettid gettimeofday getuid lseek lstat madvise membarrier
mremap munmap nanosleep newfstatat open openat pause poll ppoll pread64 preadv readlink readlinkat read
readv restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend sched_getaffinity
sched_yield select sigaltstack stat statfs statx sysinfo time times umask uname wait4 write writev
""".split()

# What starting needs besides.
_STARTING = """
arch_prctl execve landlock_add_rule landlock_create_ruleset landlock_restrict_self mmap mprotect set_robust_list
set_tid_address setrlimit
""".split()

# Harmless questions of calls that can do harm. Each is allowed for this value of this argument only.
_ALLOWED_WITH = (
    ("ioctl", 1, 0x5401),  # TCGETS: is it a terminal? (asked for every file Python opens)
    ("ioctl", 1, 0x5451),  # FIOCLEX
    ("prctl", 0, 21),  # PR_GET_SECCOMP
    ("prctl", 0, 39),  # PR_GET_NO_NEW_PRIVS
    ("prlimit64", 0, 0),  # of the process itself
)
_SET_SECCOMP = ("prctl", 0, 22)  # another filter, which can only forbid more
_EXECUTABLE = 4  # PROT_EXEC


def compile_filters() -> tuple[bytes, bytes]:
    """Both filters as BPF for the running machine. Raises ImportError, OSError or RuntimeError without libseccomp2."""
    import pyseccomp as sc

    programs = []
    for names, questions in (([*_COMPUTING, *_STARTING], [*_ALLOWED_WITH, _SET_SECCOMP]), (_COMPUTING, _ALLOWED_WITH)):
        rules = sc.SyscallFilter(sc.ERRNO(errno.EPERM))
        for name in names:
            if sc.resolve_syscall(sc.Arch.NATIVE, name) >= 0:  # negative: not on this architecture
                rules.add_rule(sc.ALLOW, name)
        for name, place, value in questions:
            rules.add_rule(sc.ALLOW, name, sc.Arg(place, sc.EQ, value))
        if names is _COMPUTING:
            for name in ("mmap", "mprotect"):
                rules.add_rule(sc.ALLOW, name, sc.Arg(2, sc.MASKED_EQ, _EXECUTABLE, 0))
        # A C library told ENOSYS falls back to clone, which the default refuses; told EPERM it would give up.
        rules.add_rule(sc.ERRNO(errno.ENOSYS), "clone3")
        with tempfile.TemporaryFile() as file:
            rules.export_bpf(file)
            file.seek(0)
            programs.append(file.read())
    return programs[0], programs[1]
