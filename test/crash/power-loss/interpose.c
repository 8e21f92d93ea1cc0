/*
 * Keeps beside a directory what a disk would hold of it if the power failed now. Loaded with LD_PRELOAD into the server.
 *
 * In      POWER_LOSS_DATA: the directory that is watched (absolute). POWER_LOSS_IMAGE: where the image is kept
 * Out     IMAGE/files/<key>: a file's octets as of its last fsync or fdatasync
 *         IMAGE/directories/<key>: a directory's names as of its last fsync, one "<f|d> <key> <name>" a line
 * Key     inode and birth time, so that a number used again is not the file that had it before
 *
 * A write marks the octets it touched; a sync copies what is marked, then forgets the marks. Nothing else reaches the
 * image: not a write without a sync, not a name whose directory was not synced, not a rename, not a removal. That is
 * harsher than most file systems and never kinder than POSIX promises. A kill in the middle of a copy leaves part of
 * a sync that was never answered for, which a real disk may do as well.
 *
 * Not seen: memory maps. SQLite maps only its -shm, which is made anew from the -wal; image.ts leaves it out. O_SYNC
 * and O_DSYNC count as no sync at all: nothing here uses them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define KEY_SIZE 64
#define FILES_MAX 65536

struct file {
  unsigned long long inode, born_s, born_ns;
  int watched;
  off_t from, to; /* octets written since the last sync; from >= to: none */
};

static struct file files[FILES_MAX]; /* a hash table; entries are never removed */
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t syncing = PTHREAD_MUTEX_INITIALIZER;
static const char *data, *image;
static size_t data_length;

/* The functions this library stands before. */
#define REAL(result, name, ...) static result (*real_##name)(__VA_ARGS__)
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
REAL(ssize_t, writev, int, const struct iovec *, int);
REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
REAL(int, ftruncate, int, off_t);
REAL(int, posix_fallocate, int, off_t, off_t);
REAL(int, fallocate, int, int, off_t, off_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);

__attribute__((constructor)) static void begin(void) {
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
  FIND(write), FIND(pwrite), FIND(writev), FIND(pwritev), FIND(ftruncate);
  FIND(posix_fallocate), FIND(fallocate), FIND(fsync), FIND(fdatasync);
  image = getenv("POWER_LOSS_IMAGE");
  data = getenv("POWER_LOSS_DATA");
  if (image == NULL || data == NULL) data = NULL;
  else data_length = strlen(data);
}

static void fail(const char *what) {
  /* An image that is not true is worse than no server. */
  fprintf(stderr, "power-loss: %s: %s\n", what, strerror(errno));
  abort();
}

static int inside(const char *path) {
  return strncmp(path, data, data_length) == 0 && (path[data_length] == '/' || path[data_length] == 0);
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return -1;
  path[length] = 0;
  return 0;
}

static int status(int at, const char *path, int flags, struct statx *found) {
  return statx(at, path, flags, STATX_BASIC_STATS | STATX_BTIME, found);
}

static void key_of(const struct statx *found, char *key) {
  snprintf(key, KEY_SIZE, "%llu-%llx.%x", (unsigned long long)found->stx_ino,
           (unsigned long long)found->stx_btime.tv_sec, found->stx_btime.tv_nsec);
}

/* The table's entry of an open file, or NULL when it is none of ours. Call with `table` held. */
static struct file *entry(int fd, struct statx *found) {
  if (data == NULL || status(fd, "", AT_EMPTY_PATH, found) != 0 || !S_ISREG(found->stx_mode)) return NULL;
  unsigned long long inode = found->stx_ino, s = found->stx_btime.tv_sec, ns = found->stx_btime.tv_nsec;
  for (size_t i = 0, at = (inode ^ ns) % FILES_MAX; i < FILES_MAX; i++, at = (at + 1) % FILES_MAX) {
    struct file *file = &files[at];
    if (file->inode == inode && file->born_s == s && file->born_ns == ns) return file->watched ? file : NULL;
    if (file->inode != 0) continue;
    char path[PATH_MAX];
    file->inode = inode, file->born_s = s, file->born_ns = ns;
    file->watched = path_of(fd, path) == 0 && inside(path);
    return file->watched ? file : NULL;
  }
  fail("too many files");
  return NULL;
}

static void mark(struct file *file, off_t from, off_t to) {
  if (from >= to) return;
  if (file->from >= file->to) file->from = from, file->to = to;
  else {
    if (from < file->from) file->from = from;
    if (to > file->to) file->to = to;
  }
}

/* Writes at the descriptor's own position: position and write belong together, so the table is held over both. */
#define AT_POSITION(call)                                               \
  struct statx found;                                                   \
  struct stat kind;                                                     \
  if (data == NULL || fstat(fd, &kind) != 0 || !S_ISREG(kind.st_mode)) return call; \
  pthread_mutex_lock(&table);                                           \
  struct file *file = entry(fd, &found);                                \
  ssize_t written = call;                                               \
  int error = errno;                                                    \
  if (file != NULL && written > 0) {                                    \
    off_t end = lseek(fd, 0, SEEK_CUR);                                 \
    mark(file, end - written, end);                                     \
  }                                                                     \
  pthread_mutex_unlock(&table);                                         \
  errno = error;                                                        \
  return written;

ssize_t write(int fd, const void *octets, size_t count) { AT_POSITION(real_write(fd, octets, count)) }
ssize_t writev(int fd, const struct iovec *parts, int count) { AT_POSITION(real_writev(fd, parts, count)) }

static void mark_open(int fd, off_t from, off_t to) {
  struct statx found;
  int error = errno;
  pthread_mutex_lock(&table);
  struct file *file = entry(fd, &found);
  if (file != NULL) mark(file, from, to);
  pthread_mutex_unlock(&table);
  errno = error;
}

/* Linux appends whatever the offset says when the descriptor is open for appending. */
#define APPENDING(fd) (data != NULL && (fcntl(fd, F_GETFL) & O_APPEND) != 0)

ssize_t pwrite(int fd, const void *octets, size_t count, off_t at) {
  if (APPENDING(fd)) return write(fd, octets, count);
  ssize_t written = real_pwrite(fd, octets, count, at);
  if (written > 0) mark_open(fd, at, at + written);
  return written;
}
ssize_t pwrite64(int fd, const void *octets, size_t count, off_t at) { return pwrite(fd, octets, count, at); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  if (APPENDING(fd)) return writev(fd, parts, count);
  ssize_t written = real_pwritev(fd, parts, count, at);
  if (written > 0) mark_open(fd, at, at + written);
  return written;
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return pwritev(fd, parts, count, at); }

static off_t size_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? found.st_size : 0;
}

int ftruncate(int fd, off_t size) {
  off_t before = data == NULL ? 0 : size_of(fd);
  int result = real_ftruncate(fd, size);
  if (result == 0 && data != NULL) mark_open(fd, before, size); /* shrinking marks nothing: sizes are compared at the sync */
  return result;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int posix_fallocate(int fd, off_t at, off_t length) {
  int result = real_posix_fallocate(fd, at, length);
  if (result == 0) mark_open(fd, at, at + length);
  return result;
}
int posix_fallocate64(int fd, off_t at, off_t length) { return posix_fallocate(fd, at, length); }

int fallocate(int fd, int mode, off_t at, off_t length) {
  int result = real_fallocate(fd, mode, at, length);
  if (result == 0) mark_open(fd, at, at + length);
  return result;
}
int fallocate64(int fd, int mode, off_t at, off_t length) { return fallocate(fd, mode, at, length); }

/* What was written without a sync before this library knew the file cannot be told: the kernel copies are refused. */
ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t length, unsigned flags) {
  (void)in, (void)in_at, (void)out, (void)out_at, (void)length, (void)flags;
  errno = ENOSYS;
  return -1;
}
ssize_t sendfile(int out, int in, off_t *at, size_t length) {
  struct stat kind;
  if (fstat(out, &kind) == 0 && S_ISREG(kind.st_mode)) {
    errno = EINVAL;
    return -1;
  }
  return syscall(SYS_sendfile, out, in, at, length);
}
ssize_t sendfile64(int out, int in, off_t *at, size_t length) { return sendfile(out, in, at, length); }

static void sync_file(int fd, struct statx *found, off_t from, off_t to) {
  char key[KEY_SIZE], path[PATH_MAX], link[64];
  key_of(found, key);
  snprintf(path, sizeof path, "%s/files/%s", image, key);
  int copy = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (copy < 0) fail(path);
  off_t size = size_of(fd);
  if (size_of(copy) > size && real_ftruncate(copy, size) != 0) fail("ftruncate of the image");
  /* The descriptor may be open for writing only. */
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int source = from < to ? open(link, O_RDONLY | O_CLOEXEC) : -1;
  if (from < to && source < 0) fail(link);
  char buffer[65536];
  for (off_t at = from; at < to && at < size;) {
    size_t want = to - at < (off_t)sizeof buffer ? (size_t)(to - at) : sizeof buffer;
    ssize_t got = pread(source, buffer, want, at);
    if (got < 0) fail("read");
    if (got == 0) break;
    if (real_pwrite(copy, buffer, got, at) != got) fail("write to the image");
    at += got;
  }
  if (source >= 0) close(source);
  close(copy);
}

static void sync_directory(int fd, struct statx *found) {
  char key[KEY_SIZE], path[PATH_MAX], next[PATH_MAX + 8];
  key_of(found, key);
  snprintf(path, sizeof path, "%s/directories/%s", image, key);
  snprintf(next, sizeof next, "%s.next", path);
  FILE *names = fopen(next, "we");
  if (names == NULL) fail(next);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  DIR *listing = opendir(link);
  if (listing == NULL) fail(link);
  for (struct dirent *name = readdir(listing); name != NULL; name = readdir(listing)) {
    struct statx kind;
    if (strcmp(name->d_name, ".") == 0 || strcmp(name->d_name, "..") == 0) continue;
    if (status(dirfd(listing), name->d_name, AT_SYMLINK_NOFOLLOW, &kind) != 0) continue; /* gone meanwhile */
    if (!S_ISREG(kind.stx_mode) && !S_ISDIR(kind.stx_mode)) continue;
    char child[KEY_SIZE];
    key_of(&kind, child);
    fprintf(names, "%c %s %s\n", S_ISDIR(kind.stx_mode) ? 'd' : 'f', child, name->d_name);
  }
  closedir(listing);
  if (fclose(names) != 0 || rename(next, path) != 0) fail(path);
}

static int sync_open(int fd, int (*real)(int)) {
  struct statx found;
  char path[PATH_MAX];
  if (data == NULL || status(fd, "", AT_EMPTY_PATH, &found) != 0) return real(fd);
  if (S_ISDIR(found.stx_mode) && path_of(fd, path) == 0 && inside(path)) {
    pthread_mutex_lock(&syncing);
    int result = real(fd);
    if (result == 0) sync_directory(fd, &found);
    pthread_mutex_unlock(&syncing);
    return result;
  }
  if (!S_ISREG(found.stx_mode)) return real(fd);
  /* One sync at a time: the second of two must not answer while the first still copies its octets. */
  pthread_mutex_lock(&syncing);
  pthread_mutex_lock(&table);
  struct file *file = entry(fd, &found);
  off_t from = 0, to = 0;
  if (file != NULL) from = file->from, to = file->to, file->from = file->to = 0;
  pthread_mutex_unlock(&table);
  int result = real(fd);
  int error = errno;
  if (file != NULL) {
    if (result == 0) sync_file(fd, &found, from, to);
    else mark_open(fd, from, to);
  }
  pthread_mutex_unlock(&syncing);
  errno = error;
  return result;
}

int fsync(int fd) { return sync_open(fd, real_fsync); }
int fdatasync(int fd) { return sync_open(fd, real_fdatasync); }
