"""The script that makes a container and becomes its first process: run by itself, it imports nothing of this project.

Arguments: a descriptor to read what to do from (JSON, see `launch.py`), and one to write to what went wrong (JSON:
step, error number). It makes namespaces (namespaces(7)), and its child, process 1 in them, puts the root file system
together, makes it the root (pivot_root(2)), drops privileges and executes the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import struct
import sys
from typing import Any, NoReturn

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24

# What docker leaves to a container's root (capabilities(7)), without CAP_MKNOD: nothing here keeps it from the
# machine's own devices.
CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31})

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)
# What of /proc tells about the machine or changes it, for a root that is the machine's own.
READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs")
MASKED = ("kcore", "keys", "timer_list", "sched_debug")

SIOCSIFFLAGS = 0x8914
IFF_UP = 1

FAILED = 125

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A step that did not work, and the system's number for why."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(step)
        self.step = step
        self.number = number


@contextlib.contextmanager
def step(name: str) -> Any:
    """Name what is being done, for the report."""
    try:
        yield
    except OSError as error:
        raise Failed(name, error.errno or 0) from error


def system(name: str, *arguments: Any) -> None:
    """Call a function of the C library that returns 0 when it worked. Raises OSError."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount `source` on `target` (mount(2)). Raises OSError."""
    texts = [os.fsencode(text) for text in (source, target, kind)]
    system("mount", *texts, ctypes.c_ulong(flags), os.fsencode(options) or None)


def prctl(option: int, value: int) -> None:
    """Set something of this process (prctl(2)). Raises OSError."""
    system("prctl", option, ctypes.c_ulong(value), 0, 0, 0)


def main() -> NoReturn:
    """Make the namespaces, wait for process 1 in them, and end as it did."""
    wanted, report = (int(text) for text in sys.argv[1:3])
    os.set_inheritable(report, False)  # noqa: FBT003 - the call has no name for it
    with os.fdopen(wanted, "rb") as file:
        plan = json.load(file)
    try:
        status = outside(plan, report)
    except Failed as failed:
        tell(report, failed)
        status = FAILED
    os._exit(status)


def tell(report: int, failed: Failed) -> None:
    """Report what did not work."""
    os.write(report, json.dumps([failed.step, failed.number]).encode())


def outside(plan: dict[str, Any], report: int) -> int:
    """Make the namespaces and process 1; return its exit status. Told to end, it ends process 1 and so all."""
    child = 0

    def end(_number: int, _frame: object) -> None:
        if child:
            os.kill(child, signal.SIGKILL)
        else:
            os._exit(FAILED)

    signal.signal(signal.SIGTERM, end)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != plan["parent"]:
        return FAILED
    user, group = os.geteuid(), os.getegid()
    namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    with step("namespaces"):
        system("unshare", namespaces | (CLONE_NEWUSER if plan["new_user"] else 0))
        if plan["new_user"]:
            map_users(f"0 {user} 1", f"0 {group} 1")
        # Process 1 of the new namespace is the next child.
        child = os.fork()
    if child == 0:
        inside(plan, report)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def map_users(users: str, groups: str) -> None:
    """Say which numbers this process's new user namespace has (user_namespaces(7))."""
    for name, text in (("setgroups", "deny"), ("uid_map", users), ("gid_map", groups)):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def inside(plan: dict[str, Any], report: int) -> NoReturn:
    """As process 1: put everything in place and execute the program."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with step("mounts"):
            mount("", "/", "", MS_REC | MS_PRIVATE)
        if plan["probe"]:
            with step("mounts"):
                mount("tmpfs", plan["folder"], "tmpfs", 0)
                os.mkdir(plan["folder"] + "/proc")
                mount_proc(plan["folder"] + "/proc", own_root=not plan["new_user"])
            os._exit(0)
        os.chdir(plan["folder"])
        root = make_root(plan)
        with step("mounts"):
            system_folders(root, own_root=not plan["new_user"])
        network_names(root, plan["hostname"])
        with step("root"):
            os.chdir(root)
            system("pivot_root", b".", b".")
            system("umount2", b".", MNT_DETACH)
            os.chdir("/")
        execute(plan)
    except Failed as failed:
        tell(report, failed)
    except OSError as error:
        tell(report, Failed("container", error.errno or 0))
    os._exit(FAILED)


def make_root(plan: dict[str, Any]) -> str:
    """Mount the root file system, for writing; return where. What is written is in memory and gone with the mount."""
    with step("mounts"):
        mount("tmpfs", "mount", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
        for name in ("root", "upper", "work"):
            os.mkdir(f"mount/{name}")
    if not plan["overlay"]:
        with step("mounts"):
            mount(plan["rootfs"], "mount/root", "", MS_BIND)
        return "mount/root"
    with step("overlay"):
        # The merged root has the attributes of the upper one.
        status = os.stat(plan["rootfs"])
        os.chown("mount/upper", status.st_uid, status.st_gid)
        os.chmod("mount/upper", stat.S_IMODE(status.st_mode))
        options = f"lowerdir={plan['rootfs']},upperdir=mount/upper,workdir=mount/work"
        mount("overlay", "mount/root", "overlay", MS_NODEV, options + (",userxattr" if plan["new_user"] else ""))
    return "mount/root"


def folder(root: str, name: str) -> str:
    """Return the real directory `name` of the root, made where it is missing."""
    path = f"{root}/{name}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise Failed(f"/{name}", errno.ENOTDIR)
    return path


def system_folders(root: str, *, own_root: bool) -> None:
    """Mount /proc, /sys and /dev."""
    mount_proc(folder(root, "proc"), own_root=own_root)
    with contextlib.suppress(OSError):
        mount("sysfs", folder(root, "sys"), "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    dev = folder(root, "dev")
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=0755,size=65536k")
    for name in DEVICES:
        with contextlib.suppress(FileNotFoundError), open(f"{dev}/{name}", "xb"):
            mount(f"/dev/{name}", f"{dev}/{name}", "", MS_BIND)
    for name, text in DEVICE_LINKS:
        os.symlink(text, f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    os.mkdir(f"{dev}/shm")
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k")


def mount_proc(proc: str, *, own_root: bool) -> None:
    """Mount the processes of the new namespace; the machine's settings in it only for reading."""
    try:
        mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except PermissionError:
        # In a container that hides parts of /proc nobody may mount a whole one. The loader needs any.
        mount("/proc", proc, "", MS_BIND | MS_REC)
        return
    if not own_root:
        return
    for name in READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            mount(f"{proc}/{name}", f"{proc}/{name}", "", MS_BIND | MS_REC)
            mount("", f"{proc}/{name}", "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in MASKED:
        with contextlib.suppress(FileNotFoundError):
            mount("/dev/null", f"{proc}/{name}", "", MS_BIND)


def network_names(root: str, hostname: str) -> None:
    """Name the machine and its one address, as engines do in a container without network."""
    name = os.fsencode(hostname)
    system("sethostname", name, len(name))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    texts = {
        "hostname": f"{hostname}\n",
        "hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t{hostname}\n",
        "resolv.conf": "",
    }
    for file_name, text in texts.items():
        # An image may have anything there: then it keeps it.
        with contextlib.suppress(OSError, Failed):
            path = f"{folder(root, 'etc')}/{file_name}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)


def execute(plan: dict[str, Any]) -> NoReturn:
    """In the new root: go to the directory, become the user, execute the program."""
    os.umask(0o022)
    for path in plan["directories"]:
        with step(f"directory {path}"):
            os.makedirs(path, exist_ok=True)
    with step(f"directory {plan['directory']}"):
        os.chdir(plan["directory"])
    with step("privileges"):
        for capability in range(64):
            if capability not in CAPABILITIES:
                try:
                    prctl(PR_CAPBSET_DROP, capability)
                except OSError as error:
                    if error.errno != errno.EINVAL:  # the first number beyond those that the kernel knows
                        raise
                    break
    with step("user"):
        become(plan["uid"], plan["gid"], plan["groups"])
    # A change of user forgets it.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Python ignores these, and what is ignored stays so in the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    with step("exec"):
        os.execve(plan["program"], plan["arguments"], plan["environment"])  # noqa: S606 - what all this is for
    raise AssertionError


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Become a user. One that this user namespace has no number for gets a namespace of its own."""
    if (uid, gid) == (os.getuid(), os.getgid()) and not groups:
        with contextlib.suppress(PermissionError):
            os.setgroups([])
        return
    try:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EINVAL}:
            raise
    else:
        return
    user, group = os.geteuid(), os.getegid()
    system("unshare", CLONE_NEWUSER)
    map_users(f"{uid} {user} 1", f"{gid} {group} 1")


if __name__ == "__main__":
    main()
