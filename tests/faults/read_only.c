/* A disk that becomes read-only under the files that are open on it, as after a fault of the disk. The kernel refuses
 * `mount -o remount,ro` while a file is open for writing, so its answer is given here in its place: while the file named by
 * READ_ONLY_WHILE exists, whatever would write below the folder DISK fails with EROFS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_read_only(void) {
  const char *switch_file = getenv("READ_ONLY_WHILE");
  return switch_file && access(switch_file, F_OK) == 0;
}

static int is_on_disk(const char *path) {
  const char *disk = getenv("DISK");
  return disk && path && strncmp(path, disk, strlen(disk)) == 0;
}

static int is_refused_path(const char *path) {
  char whole[4096];
  if (!is_read_only()) return 0;
  if (path && path[0] != '/' && getcwd(whole, sizeof whole)) path = whole;
  if (!is_on_disk(path)) return 0;
  errno = EROFS;
  return 1;
}

static int is_refused(int fd) {
  char link[64], path[4096];
  if (!is_read_only()) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  if (!is_on_disk(path)) return 0;
  errno = EROFS;
  return 1;
}

ssize_t write(int fd, const void *data, size_t count) { return is_refused(fd) ? -1 : NEXT(write)(fd, data, count); }
ssize_t pwrite(int fd, const void *data, size_t count, off_t at) { return is_refused(fd) ? -1 : NEXT(pwrite)(fd, data, count, at); }
ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at) { return is_refused(fd) ? -1 : NEXT(pwrite64)(fd, data, count, at); }
int ftruncate(int fd, off_t length) { return is_refused(fd) ? -1 : NEXT(ftruncate)(fd, length); }
int ftruncate64(int fd, off64_t length) { return is_refused(fd) ? -1 : NEXT(ftruncate64)(fd, length); }
int unlink(const char *path) { return is_refused_path(path) ? -1 : NEXT(unlink)(path); }

#define OPEN(name)                                                                        \
  int name(const char *path, int flags, ...) {                                            \
    va_list more;                                                                         \
    va_start(more, flags);                                                                \
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                             \
    va_end(more);                                                                         \
    int writes = (flags & O_ACCMODE) != O_RDONLY;                                         \
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;                            \
    /* The kernel says of a file that must be new first that it is there. */              \
    if (!(flags & O_EXCL && !is_new) && (writes || is_new) && is_refused_path(path)) return -1; \
    return NEXT(name)(path, flags, mode);                                                 \
  }
OPEN(open)
OPEN(open64)
