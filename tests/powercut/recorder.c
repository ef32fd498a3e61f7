/* Records what a process asks of its disk, so that a power cut can be played afterwards (replay.py).
 *
 * Preloaded into a process tree, it passes every call on and then appends one record to the log, for files and folders
 * below the root only:
 *
 *   CUT_ROOT  absolute path of the folder that is watched
 *   CUT_LOG   the log, outside of it
 *
 * A record: u32 length of what follows, u8 kind, u64 inode, u64 offset, u16 length of name, name, data (the rest).
 *   C  inode came into being, or was emptied (offset 1), under the path `name`       W  `data` was written at `offset`
 *   T  was cut or grown to `offset`                                                  S  was synced
 *   M  a folder was made: `name`             R  `name` NUL `data`: renamed from, to  L  likewise: linked
 *   U  `name` went away
 * One writer at a time: the log is locked from before the call until after its record, so order in it is order on disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root;
static size_t root_length;
static int log_file = -1;
static pid_t owner;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, type, ...)                                     \
    static type (*real)(__VA_ARGS__);                             \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int real_openat(int folder, const char *path, int flags, mode_t mode)
{
    REAL("openat64", int, int, const char *, int, ...);
    return real(folder, path, flags, mode);
}

static ssize_t real_write(int file, const void *data, size_t size)
{
    REAL("write", ssize_t, int, const void *, size_t);
    return real(file, data, size);
}

static int watching(void)
{
    if (!root) {
        root = getenv("CUT_ROOT");
        if (!root) root = "";
        root_length = strlen(root);
    }
    if (!root_length) return 0;
    if (log_file < 0 || owner != getpid()) { /* a lock of one's own: a forked child shares its parent's */
        log_file = real_openat(AT_FDCWD, getenv("CUT_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (log_file < 0) abort();
        owner = getpid();
    }
    return 1;
}

static void hold(void)
{
    pthread_mutex_lock(&mutex);
    if (log_file >= 0) flock(log_file, LOCK_EX);
}

static void leave(void)
{
    if (log_file >= 0) flock(log_file, LOCK_UN);
    pthread_mutex_unlock(&mutex);
}

static int inside(const char *path)
{
    return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int path_of(int file, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path[0] == '/' && inside(path);
}

/* The absolute path of what a call names; 0 when it lies elsewhere. Links in the path are not followed. */
static int absolute(int folder, const char *name, char *path)
{
    char base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) return 0;
            base[length] = 0;
        }
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    return inside(path);
}

static void tell(char kind, uint64_t inode, uint64_t offset, const char *name, const void *data, size_t size)
{
    uint16_t named = name ? strlen(name) : 0;
    uint32_t length = 1 + 8 + 8 + 2 + named + size;
    char *record = malloc(4 + length), *at = record;
    if (!record) abort();
    memcpy(at, &length, 4), at += 4;
    *at++ = kind;
    memcpy(at, &inode, 8), at += 8;
    memcpy(at, &offset, 8), at += 8;
    memcpy(at, &named, 2), at += 2;
    if (named) memcpy(at, name, named), at += named;
    if (size) memcpy(at, data, size);
    for (size_t done = 0; done < 4 + length;) {
        ssize_t part = real_write(log_file, record + done, 4 + length - done);
        if (part < 0) abort();
        done += part;
    }
    free(record);
}

static uint64_t inode_of(int file)
{
    struct stat found;
    return fstat(file, &found) ? 0 : found.st_ino;
}

/* --- opening */

static int opening(int folder, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat before;
    int kept = errno;
    if (!(flags & (O_CREAT | O_TRUNC)) || !watching() || !absolute(folder, name, path))
        return errno = kept, real_openat(folder, name, flags, mode);
    hold();
    int fresh = stat(path, &before) != 0;
    errno = kept;
    int file = real_openat(folder, name, flags, mode);
    kept = errno;
    if (file >= 0 && (fresh || (flags & O_TRUNC))) tell('C', inode_of(file), fresh ? 0 : 1, path, NULL, 0);
    leave();
    errno = kept;
    return file;
}

#define MODE                                   \
    mode_t mode = 0;                           \
    if (flags & (O_CREAT | O_TMPFILE)) {       \
        va_list more;                          \
        va_start(more, flags);                 \
        mode = va_arg(more, mode_t);           \
        va_end(more);                          \
    }

int open(const char *name, int flags, ...) { MODE return opening(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opening(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE return opening(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE return opening(folder, name, flags, mode); }
int creat(const char *name, mode_t mode) { return opening(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static FILE *stream(const char *name, const char *how)
{
    int plus = strchr(how, '+') != NULL;
    int flags = how[0] == 'r' ? (plus ? O_RDWR : O_RDONLY)
                              : (plus ? O_RDWR : O_WRONLY) | O_CREAT | (how[0] == 'a' ? O_APPEND : O_TRUNC);
    int file = opening(AT_FDCWD, name, flags | (strchr(how, 'e') ? O_CLOEXEC : 0), 0666);
    return file < 0 ? NULL : fdopen(file, how);
}

FILE *fopen(const char *name, const char *how) { return stream(name, how); }
FILE *fopen64(const char *name, const char *how) { return stream(name, how); }

/* --- writing */

#define WRITING(file, call, kind_of_offset, data, size)                            \
    char path[PATH_MAX];                                                           \
    int kept = errno;                                                              \
    if (!watching() || (file) == log_file || !path_of(file, path)) {               \
        errno = kept;                                                              \
        return call;                                                               \
    }                                                                              \
    hold();                                                                        \
    ssize_t done = call;                                                           \
    kept = errno;                                                                  \
    if (done > 0) tell('W', inode_of(file), kind_of_offset, path, data, size);     \
    leave();                                                                       \
    errno = kept;                                                                  \
    return done

ssize_t write(int file, const void *data, size_t size)
{
    WRITING(file, real_write(file, data, size), lseek(file, 0, SEEK_CUR) - done, data, done);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    REAL("pwrite64", ssize_t, int, const void *, size_t, off_t);
    WRITING(file, real(file, data, size, offset), offset, data, done);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset) { return pwrite64(file, data, size, offset); }

ssize_t pwritev64(int file, const struct iovec *parts, int number, off_t offset)
{
    ssize_t all = 0;
    for (int part = 0; part < number; part++) {
        ssize_t done = pwrite64(file, parts[part].iov_base, parts[part].iov_len, offset + all);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < parts[part].iov_len) break;
    }
    return all;
}

ssize_t pwritev(int file, const struct iovec *parts, int number, off_t offset)
{
    return pwritev64(file, parts, number, offset);
}

ssize_t writev(int file, const struct iovec *parts, int number)
{
    REAL("writev", ssize_t, int, const struct iovec *, int);
    char path[PATH_MAX];
    if (!watching() || file == log_file || !path_of(file, path)) return real(file, parts, number);
    ssize_t all = 0;
    for (int part = 0; part < number; part++) {
        ssize_t done = write(file, parts[part].iov_base, parts[part].iov_len);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < parts[part].iov_len) break;
    }
    return all;
}

/* Copying within the kernel is not recorded: who asks is sent back to reading and writing. */
ssize_t sendfile64(int to, int from, off_t *offset, size_t size)
{
    REAL("sendfile64", ssize_t, int, int, off_t *, size_t);
    char path[PATH_MAX];
    if (watching() && path_of(to, path)) return errno = EINVAL, -1;
    return real(to, from, offset, size);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size) { return sendfile64(to, from, offset, size); }

ssize_t copy_file_range(int from, off_t *start, int to, off_t *end, size_t size, unsigned flags)
{
    REAL("copy_file_range", ssize_t, int, off_t *, int, off_t *, size_t, unsigned);
    char path[PATH_MAX];
    if (watching() && path_of(to, path)) return errno = EXDEV, -1;
    return real(from, start, to, end, size, flags);
}

int ftruncate64(int file, off_t size)
{
    REAL("ftruncate64", int, int, off_t);
    char path[PATH_MAX];
    if (!watching() || !path_of(file, path)) return real(file, size);
    hold();
    int failed = real(file, size), kept = errno;
    if (!failed) tell('T', inode_of(file), size, path, NULL, 0);
    leave();
    errno = kept;
    return failed;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int posix_fallocate64(int file, off_t offset, off_t size)
{
    struct stat found;
    if (fstat(file, &found)) return errno;
    return found.st_size >= offset + size || !ftruncate64(file, offset + size) ? 0 : errno;
}

int posix_fallocate(int file, off_t offset, off_t size) { return posix_fallocate64(file, offset, size); }

/* --- what makes it last */

static int syncing(int file, const char *name)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    char path[PATH_MAX];
    if (!watching() || !path_of(file, path)) return real(file);
    hold();
    /* Real syncing is not needed: the replay decides what lasts, and the test need not wait for the disk. */
    tell('S', inode_of(file), 0, path, NULL, 0);
    leave();
    return 0;
}

int fsync(int file) { return syncing(file, "fsync"); }
int fdatasync(int file) { return syncing(file, "fdatasync"); }

/* --- names */

static int renaming(int from, const char *old, int to, const char *new, unsigned flags)
{
    REAL("renameat2", int, int, const char *, int, const char *, unsigned);
    char before[PATH_MAX], after[PATH_MAX];
    if (!watching() || !(absolute(from, old, before) & absolute(to, new, after))) return real(from, old, to, new, flags);
    hold();
    int failed = real(from, old, to, new, flags), kept = errno;
    if (!failed) tell('R', 0, 0, before, after, strlen(after));
    leave();
    errno = kept;
    return failed;
}

int rename(const char *old, const char *new) { return renaming(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return renaming(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    return renaming(from, old, to, new, flags);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    REAL("linkat", int, int, const char *, int, const char *, int);
    char before[PATH_MAX], after[PATH_MAX];
    if (!watching() || !(absolute(from, old, before) & absolute(to, new, after))) return real(from, old, to, new, flags);
    hold();
    int failed = real(from, old, to, new, flags), kept = errno;
    if (!failed) tell('L', 0, 0, before, after, strlen(after));
    leave();
    errno = kept;
    return failed;
}

int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

static int removing(int folder, const char *name, int flags)
{
    REAL("unlinkat", int, int, const char *, int);
    char path[PATH_MAX];
    if (!watching() || !absolute(folder, name, path)) return real(folder, name, flags);
    hold();
    int failed = real(folder, name, flags), kept = errno;
    if (!failed) tell('U', 0, 0, path, NULL, 0);
    leave();
    errno = kept;
    return failed;
}

int unlink(const char *name) { return removing(AT_FDCWD, name, 0); }
int unlinkat(int folder, const char *name, int flags) { return removing(folder, name, flags); }
int rmdir(const char *name) { return removing(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name)
{
    struct stat found;
    return removing(AT_FDCWD, name, !lstat(name, &found) && S_ISDIR(found.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    REAL("mkdirat", int, int, const char *, mode_t);
    char path[PATH_MAX];
    struct stat made;
    if (!watching() || !absolute(folder, name, path)) return real(folder, name, mode);
    hold();
    int failed = real(folder, name, mode), kept = errno;
    if (!failed) tell('M', stat(path, &made) ? 0 : made.st_ino, 0, path, NULL, 0);
    leave();
    errno = kept;
    return failed;
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
