"""Which system calls a job may make. Everything not listed answers EPERM.

One thread that computes on what it reads needs few. There is no call here that makes a process, a thread, a socket or a
file system change, so the filter holds even where another wall has a hole.
"""

from __future__ import annotations

import errno
import tempfile

_ALLOWED = """
access arch_prctl brk capget clock_getres clock_gettime clock_nanosleep close dup epoll_create1 execve exit exit_group
faccessat faccessat2 fcntl fstat fstatfs futex get_robust_list getcwd getdents64 getegid geteuid getgid getpid getppid
getpriority getrandom getresgid getresuid getrlimit getrusage gettid gettimeofday getuid lseek lstat madvise membarrier
mmap mprotect mremap munmap nanosleep newfstatat open openat pause poll ppoll pread64 preadv readlink readlinkat read
readv restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend sched_getaffinity
sched_yield select set_robust_list set_tid_address setrlimit sigaltstack stat statfs statx sysinfo time times umask
uname wait4 write writev
""".split()

# Harmless questions of calls that can do harm. Each is allowed for this value of this argument only.
_ALLOWED_WITH = (
    ("ioctl", 1, 0x5401),  # TCGETS: is it a terminal? (asked for every file Python opens)
    ("ioctl", 1, 0x5451),  # FIOCLEX
    ("prctl", 0, 21),  # PR_GET_SECCOMP
    ("prctl", 0, 39),  # PR_GET_NO_NEW_PRIVS
    ("prlimit64", 0, 0),  # of the process itself
)


def compile_filter() -> bytes:
    """The filter as BPF for the running machine's architecture. Raises OSError or RuntimeError without libseccomp2."""
    import pyseccomp as sc

    rules = sc.SyscallFilter(sc.ERRNO(errno.EPERM))
    for name in _ALLOWED:
        if sc.resolve_syscall(sc.Arch.NATIVE, name) >= 0:  # negative: not on this architecture
            rules.add_rule(sc.ALLOW, name)
    for name, place, value in _ALLOWED_WITH:
        rules.add_rule(sc.ALLOW, name, sc.Arg(place, sc.EQ, value))
    # A C library told ENOSYS falls back to clone, which the default refuses; told EPERM it would give up.
    rules.add_rule(sc.ERRNO(errno.ENOSYS), "clone3")
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
