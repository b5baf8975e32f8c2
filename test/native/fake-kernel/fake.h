// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for the kernel under the unmodified addon: LD_PRELOADed, it answers for the VFIO nodes
// of scripted devices, four of them in group 7, and passes every other path and fd to libc. It is
// written from the kernel's documented behaviour and shares nothing with lib/ or native/, so that a
// slip in either shows.
//
// Nothing here may synchronise the threads that it serves, as the kernel does not: locks are bare
// futexes, which ThreadSanitizer does not see, and shared memory is touched by code of our own
// only, never by libc functions that the sanitizers intercept.
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { kDevices = 32, kInGroup = 4, kRegions = 10, kRegionBytes = 256, kNoDevice = -1 };
enum { kMostRecords = 32 };
enum { kPage = 4096, kImageHeader = 80 };  // docs/firmware-model.md
enum { kError, kStop, kRunning, kStopCopy, kResuming, kRunningP2p, kPreCopy, kPreCopyP2p, kStates };

// ---- log.c: the lock, the log that the tests read, strings without libc
void lock(void);
void unlock(void);
void wait_for_change(int milliseconds);  // called and returns with the lock held
void changed(void);                      // with the lock held
long now_ms(void);
void note(const char* format, ...);      // %s %d %x (64 bits); one line of the log
void mismatch(const char* format, ...);  // the caller broke the kernel's contract: fails the test
int lines_starting_with(const char* text);
size_t log_size(void);
const char* log_text(void);
void clear_log(void);
extern bool log_is_kept;  // notes are lost where it is not; what is wrong with a call never
bool same(const char* a, const char* b);
bool starts(const char* text, const char* prefix);
void copy(void* to, const void* from, size_t bytes);
void zero(void* to, size_t bytes);

// ---- rules.c: scripted faults
struct verdict {
  long error;   // -errno to answer instead of acting
  long after;   // -errno to answer after having acted
  long cut;     // most bytes to take, 0 for no limit
  long status;  // a command of the firmware: its status
};
enum { kLongestHoldMs = 5000 };
extern int longest_hold_ms;
struct verdict gate(const char* operation,
                    int device);  // may hold the call; the lock is released meanwhile
long add_rule(int device, const char* operation, int nth, const char* what, long value);
long release(const char* operation);
void clear_rules(void);

// ---- machine.c: states, sessions, arcs
enum manner { kMlx5, kMtty };
struct target {
  bool in_record;
  uint32_t tag, header_taken;
  uint64_t record_size, record_taken, room;
  unsigned char header[16], payload[64];
};
struct session {
  int device;
  bool used, dead, has_fd, saving, in_flight, last_image;
  bool error, precopy_error;  // of mlx5's: no more of anything, no more increments
  int fd_real,
      fd_signal;  // the two ends behind a saving fd of mlx5: a byte in between makes it readable
  bool ready;
  uint64_t position, filled, initial_end;
  uint64_t announced;  // what record 0 says
  bool flying_initial;
  long flying_status;  // what the SAVE will answer
  struct target target;
  uint64_t record_start[kMostRecords];
  uint64_t record_bytes[kMostRecords];  // without the header of 16
  int records;
  uint64_t flying;  // size of the image that is being saved
  uint64_t taken;   // bytes written to a resuming fd
  uint32_t hash;
};
struct dma_range {
  uint64_t iova, length;
};
struct device {
  int opens;
  bool locked;  // the driver's state mutex
  bool reset_noted, info_v2, auto_save, has_logging, logging, chunks;
  bool model;  // with commands of the firmware, and a target that looks at what it takes
  bool reinit, detached;
  int flags, state;
  enum manner manner;
  char file[256];  // what is opened for a session instead of a data_fd of ours
  uint64_t image, dirty, data_size, log_page_size;
  struct session* session;
  uint64_t dirty_iova[128];
  int dirty_pages;
  struct {
    uint32_t flags, cap_offset, cap_bytes;
    uint64_t size, offset;
    unsigned char caps[1024];
  } region[kRegions];
  unsigned char bytes[kRegions][kRegionBytes];
};
extern struct device devices[kDevices];
extern int kernel_version;  // 612 or 702
extern bool group_viable;
void power_on(int device);  // as after a cold start
void last_close(struct device* d);
long set_state(struct device* d, int target, struct session** opened);
void reset_device(struct device* d);
void lock_state(struct device* d);
void unlock_state(struct device* d);  // does the reset that came meanwhile
void detach(struct device* d);
void drop_session(struct session* s);  // the last fd of it is gone

// ---- saving.c
enum { kRecordHeader = 16, kFirstRecord = 24, kMttyHeader = 24, kMttyPort = 36 };
bool is_complete(const struct session* s);
void update_readiness(struct session* s);
void queue_record(struct session* s, uint64_t bytes);
long start_image(struct device* d, uint64_t bytes, bool last);
unsigned char stream_byte(const struct session* s, uint64_t position);
void complete_save(struct device* d);

// ---- firmware.c
enum { kOvertaken = 0x4 };  // the status of a command that a reset of its function overtook
long command(struct device* d, const char* name);
long begin_save(struct device* d, long* status);
long suspend_or_resume(struct device* d, int to);
void wait_for_save(const struct device* d);

// ---- data.c
long read_session(struct session* s, unsigned char* to, size_t bytes, bool nonblock);
long write_session(struct session* s, const unsigned char* from, size_t bytes);
long precopy_info(struct session* s, void* argument);

// ---- target.c
long take_records(struct device* d, struct session* s, const unsigned char* from, size_t bytes);
long take_mtty(struct session* s, const unsigned char* from, size_t bytes);
unsigned char mtty_byte(uint64_t position);

// ---- device.c: the device fd
long device_ioctl(int device, unsigned long request, void* argument);
long device_access(int device, void* bytes, size_t length, off_t offset, bool write);

// ---- files.c: paths, fds, group, container, iommufd
enum kind { kControl, kDeviceFile, kIommufd, kGroup, kContainer, kData };
struct file {
  bool used;
  enum kind kind;
  int fd, device, busy;
  bool bound;  // a device fd that may be used
  int access;  // O_RDONLY, O_WRONLY, O_RDWR
  struct session* session;
  dev_t st_dev;
  ino_t st_ino;
  size_t reply_size, reply_position;
  char reply[1 << 18];
};
struct file* find_file(int fd);
bool ours(const char* path);
long open_path(const char* path, int flags);
long data_fd(struct session* s);  // an fd for a new session, EMFILE where the process has no more
long file_ioctl(struct file* f, unsigned long request, void* argument);
long file_read(struct file* f, void* to, size_t bytes);
long file_write(struct file* f, const void* from, size_t bytes);
void forget_file(struct file* f);
void forget_former_file(int fd);
const char* file_name(const struct file* f);
int open_files(struct file* report_to);  // all but control
void forget_files(void);

// ---- control.c
long control(struct file* f, const char* text, size_t bytes);

#endif
