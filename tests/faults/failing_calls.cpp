// A library to preload: at the n-th call that changes files it lets the disk be full, lets the call
// fail, or kills the process. The environment says what (GLADIUS_FAULT_...):
//
//   CALL      n, from 1; 0 or nothing: never
//   TEXT      instead of a number: the first write whose bytes contain this
//   KIND      full: this call and all after it that need space (half of the first write succeeds);
//             error: this call alone, with EIO; kill: SIGKILL
//   DELAY_US  of kill: microseconds after the call has begun
//   LOG       file to which each counted call is added: "n name"
//   CLOCK     jump: the wall clock is another each time it is read
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

enum class Kind { full, error, kill, term };
enum class Outcome { pass, fail, half };

struct Plan {
  long call = setting("GLADIUS_FAULT_CALL") ? std::atol(setting("GLADIUS_FAULT_CALL")) : 0;
  const char* text = setting("GLADIUS_FAULT_TEXT");
  std::string_view kind_name = setting("GLADIUS_FAULT_KIND") ? setting("GLADIUS_FAULT_KIND") : "";
  Kind kind = kind_name == "full"    ? Kind::full
              : kind_name == "error" ? Kind::error
              : kind_name == "term"  ? Kind::term
                                     : Kind::kill;
  long delay_us =
      setting("GLADIUS_FAULT_DELAY_US") ? std::atol(setting("GLADIUS_FAULT_DELAY_US")) : 0;
  int log = setting("GLADIUS_FAULT_LOG")
                ? static_cast<int>(::syscall(SYS_openat, AT_FDCWD, setting("GLADIUS_FAULT_LOG"),
                                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600))
                : -1;
  bool clock_jumps = setting("GLADIUS_FAULT_CLOCK") != nullptr;
};

const Plan& plan() {
  static const Plan made;
  return made;
}

long calls = 0;  // the program changes files from one thread only
bool disk_is_full = false;

void* kill_later(void*) {
  ::usleep(static_cast<useconds_t>(plan().delay_us));
  ::kill(::getpid(), SIGKILL);
  return nullptr;
}

void die() {
  if (plan().delay_us == 0) ::kill(::getpid(), SIGKILL);
  pthread_t thread;
  ::pthread_create(&thread, nullptr, kill_later, nullptr);
  ::pthread_detach(thread);
}

bool contains(const void* data, std::size_t size, const char* text) {
  return data != nullptr && ::memmem(data, size, text, std::strlen(text)) != nullptr;
}

// What is to become of a call. `needs_space`: it fails on a disk that is full.
Outcome next_call(const char* name, bool needs_space, const void* data = nullptr,
                  std::size_t size = 0) {
  ++calls;
  if (plan().log >= 0) {
    char line[80];
    const int length = std::snprintf(line, sizeof line, "%ld %s\n", calls, name);
    ::syscall(SYS_write, plan().log, line, static_cast<std::size_t>(length));
  }
  if (disk_is_full && needs_space) {
    errno = ENOSPC;
    return Outcome::fail;
  }
  const bool due =
      plan().text != nullptr ? contains(data, size, plan().text) : calls == plan().call;
  if (!due || disk_is_full) return Outcome::pass;
  switch (plan().kind) {
    case Kind::kill:
      die();
      return Outcome::pass;
    case Kind::term:
      ::kill(::getpid(), SIGTERM);
      return Outcome::pass;
    case Kind::error:
      errno = EIO;
      return Outcome::fail;
    case Kind::full:
      disk_is_full = true;
      errno = ENOSPC;
      return data != nullptr && size > 1 ? Outcome::half : Outcome::fail;
  }
  return Outcome::pass;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool is_for_writing(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0; }

mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(arguments, unsigned)) : 0;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static const auto call = real<ssize_t (*)(int, const void*, size_t)>("write");
  if (fd <= STDERR_FILENO) return call(fd, data, size);
  switch (next_call("write", true, data, size)) {
    case Outcome::fail:
      return -1;
    case Outcome::half:
      return call(fd, data, size / 2);
    case Outcome::pass:
      break;
  }
  return call(fd, data, size);
}

int fsync(int fd) {
  static const auto call = real<int (*)(int)>("fsync");
  return next_call("fsync", false) == Outcome::fail ? -1 : call(fd);
}

int ftruncate(int fd, off_t size) {
  static const auto call = real<int (*)(int, off_t)>("ftruncate");
  return next_call("ftruncate", false) == Outcome::fail ? -1 : call(fd, size);
}

int rename(const char* from, const char* to) {
  static const auto call = real<int (*)(const char*, const char*)>("rename");
  return next_call("rename", false) == Outcome::fail ? -1 : call(from, to);
}

int renameat(int from_fd, const char* from, int to_fd, const char* to) {
  static const auto call = real<int (*)(int, const char*, int, const char*)>("renameat");
  return next_call("renameat", false) == Outcome::fail ? -1 : call(from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  static const auto call = real<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return next_call("renameat2", false) == Outcome::fail ? -1
                                                        : call(from_fd, from, to_fd, to, flags);
}

int mkdir(const char* path, mode_t mode) {
  static const auto call = real<int (*)(const char*, mode_t)>("mkdir");
  return next_call("mkdir", true) == Outcome::fail ? -1 : call(path, mode);
}

int unlinkat(int fd, const char* path, int flags) {
  static const auto call = real<int (*)(int, const char*, int)>("unlinkat");
  return next_call("unlinkat", false) == Outcome::fail ? -1 : call(fd, path, flags);
}

int open(const char* path, int flags, ...) {
  static const auto call = real<int (*)(const char*, int, mode_t)>("open");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  if (is_for_writing(flags) && next_call("open", true) == Outcome::fail) return -1;
  return call(path, flags, mode);
}

int openat(int fd, const char* path, int flags, ...) {
  static const auto call = real<int (*)(int, const char*, int, mode_t)>("openat");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  if (is_for_writing(flags) && next_call("openat", true) == Outcome::fail) return -1;
  return call(fd, path, flags, mode);
}

time_t time(time_t* out) {
  static const auto call = real<time_t (*)(time_t*)>("time");
  time_t now = call(nullptr);
  if (plan().clock_jumps) {
    static time_t days = 0;  // 1, -2, 3, ...
    days = days > 0 ? -days - 1 : 1 - days;
    now += days * 86400;
  }
  if (out != nullptr) *out = now;
  return now;
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  static const auto call = real<int (*)(clockid_t, struct timespec*)>("clock_gettime");
  const int result = call(clock, out);
  if (clock == CLOCK_REALTIME && plan().clock_jumps) out->tv_sec = ::time(nullptr);
  return result;
}

}  // extern "C"
