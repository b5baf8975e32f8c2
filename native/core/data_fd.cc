// SPDX-License-Identifier: Apache-2.0
#include "data_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <new>
#include <utility>

#include "crc32.h"
#include "device.h"
#include "uapi.h"

namespace vfio_migrate {

namespace {

/// How long poll(2) is believed when it says that there is nothing: mlx5 does not tell it that the
/// first SAVE was given up (firmware status 9), after which read(2) answers ENOMSG.
constexpr int kAskAgainMs = 50;

/// What poll(2) passes over.
constexpr int kNobodyCancels = -1;

/// A SAVE may hold up a blocking read for a minute, and nothing could wake it.
void UnblockSaving(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace

DataFd::DataFd(Held<Device> device, Fd wake, Held<BufferPool> pool)
    : device_(std::move(device)), wake_(std::move(wake)), pool_(std::move(pool)) {}

Answer DataFd::Prepare(const Held<Device>& device, Owner<DataFd>* prepared) {
  Fd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return -errno;
  auto pool = Held<BufferPool>::Adopt(new (std::nothrow) BufferPool());
  if (!pool) return -ENOMEM;
  auto fresh = Held<DataFd>::Adopt(new (std::nothrow) DataFd(device, std::move(wake), pool));
  if (!fresh) return -ENOMEM;
  // We are in the device's control lane, a user of it, so this cannot fail.
  device->Enter();
  Answer answer = fresh->Start("vfio-data");
  if (answer < 0) {
    device->Leave();
    return answer;
  }
  *prepared = Owner<DataFd>(std::move(fresh));
  return 0;
}

Answer DataFd::Open(Fd fd) {
  UnblockSaving(fd.get());
  fd_ = std::move(fd);
  census.sessions++;
  return device_->Attach(this) ? 0 : -ECANCELED;
}

void DataFd::Wake() {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_.get(), &one, sizeof(one));
}

void DataFd::CloseFds() {
  device_->Detach(this);
  if (fd_) census.sessions--;
  fd_.Close();
  wake_.Close();
  pool_->Close();
  device_->Leave();
}

/// 1 when the fd may have something, 0 when the time is over or the session ends, or -errno. An fd
/// without a poll handler is ready at once.
Answer DataFd::WaitReadable(int timeout_ms, int cancel_fd) {
  double end = NowMs() + timeout_ms;
  for (;;) {
    pollfd fds[] = {{fd_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    Answer answer = Answered(poll(fds, 3, timeout_ms));
    if (answer > 0 && fds[2].revents != 0) return -ECANCELED;
    if (answer != -EINTR) return answer > 0 && fds[1].revents != 0 ? 0 : answer;
    timeout_ms = std::max(0, static_cast<int>(end - NowMs()));
  }
}

/// read(2). The arc is sampled before it: it must not be newer than the question.
Answer DataFd::ReadNow(uint8_t* data, size_t length, uint64_t* arc) {
  *arc = device_->arc();
  return Answered(read(fd_.get(), data, length));
}

/// With EAGAIN waited for.
Answer DataFd::ReadOnce(uint8_t* data, size_t length, int cancel_fd, uint64_t* arc) {
  while (!closing()) {
    Answer answer = ReadNow(data, length, arc);
    // Not EINTR either: on xe it can come after bytes were taken, and asking again would skip them.
    if (answer != -EAGAIN) return answer;
    DeliverHeld();
    answer = WaitReadable(kAskAgainMs, cancel_fd);
    if (answer < 0) return answer;
  }
  return -ECANCELED;
}

ReadData DataFd::Read(size_t max_bytes, int wait_ms, ReadKind kind) {
  ReadData data;
  if (kind == ReadKind::kBehind && !gave_) {
    data.result = -EAGAIN;
    return data;
  }
  gave_ = false;
  data.result = std::exchange(read_failure_, 0);
  data.arc = device_->arc();
  if (data.result < 0) return data;
  size_t length = std::min(max_bytes, kMaxPieceBytes);
  data.buffer = pool_->Take(length);
  if (!data.buffer) {
    data.result = -ENOMEM;
    return data;
  }
  data.result = to_ ? ReadRelayed(data.buffer, length, wait_ms, &data.arc)
                    : ReadInto(data.buffer->data(), length, wait_ms, kNobodyCancels, &data.arc);
  gave_ = data.result > 0;
  data.is_full = data.result == static_cast<Answer>(length);
  return data;
}

Answer DataFd::ReadInto(uint8_t* data, size_t length, int wait_ms, int cancel_fd, uint64_t* arc) {
  Answer answer = ReadOnce(data, length, cancel_fd, arc);
  bool idle = answer == 0 || answer == -ENOMSG;
  if (idle && wait_ms > 0) {
    DeliverHeld();
    answer = WaitReadable(wait_ms, cancel_fd);
    if (answer >= 0) answer = ReadOnce(data, length, cancel_fd, arc);
  }
  if (answer > 0 && !to_) Sum(data, static_cast<size_t>(answer));
  return answer;
}

/// In pieces, each of which is the other lane's at once. That a call behind the first finds nothing
/// is for the next read to find again; a failure may have taken bytes, and is not asked for twice.
Answer DataFd::ReadRelayed(const Held<Buffer>& buffer, size_t length, int wait_ms, uint64_t* arc) {
  size_t got = 0;
  for (bool is_full = true; is_full && got < length;) {
    size_t wanted = std::min(length - got, kRelayedBytes);
    uint8_t* data = buffer->data() + got;
    uint64_t later = 0;
    // Before the bytes: they are to be had once.
    auto piece = RelayedPiece::Create(to_, buffer);
    if (!piece) return got == 0 ? -ENOMEM : static_cast<Answer>(got);
    Answer answer = got == 0 ? ReadInto(data, wanted, wait_ms, kNobodyCancels, arc)
                             : ReadNow(data, wanted, &later);
    if (answer <= 0 && got == 0) return answer;
    if (answer < 0 && answer != -EAGAIN && answer != -ENOMSG) read_failure_ = answer;
    if (answer <= 0) break;
    auto bytes = static_cast<size_t>(answer);
    RelayedPiece::Post(std::move(piece), data, bytes);
    // While the other lane writes.
    Sum(data, bytes);
    got += bytes;
    is_full = bytes == wanted;
  }
  return static_cast<Answer>(got);
}

/// In the data lane, which alone changes the sum.
void DataFd::Sum(const uint8_t* data, size_t length) {
  if (!summed_.load(std::memory_order_acquire)) return;
  if (!is_relay_.load(std::memory_order_acquire)) {
    crc32_.store(Crc32(crc32_.load(std::memory_order_relaxed), data, length),
                 std::memory_order_release);
    return;
  }
  sums_.Add(data, length);
  first_sum_.store(sums_.first(), std::memory_order_relaxed);
  second_sum_.store(sums_.second(), std::memory_order_release);
}

void DataFd::RelayTo(Held<DataFd> to) {
  is_relay_.store(true, std::memory_order_release);
  to->is_relay_.store(true, std::memory_order_release);
  to_ = std::move(to);
}

std::string DataFd::digest() const {
  char text[64];
  if (is_relay_.load(std::memory_order_acquire)) {
    uint64_t second = second_sum_.load(std::memory_order_acquire);
    uint64_t first = first_sum_.load(std::memory_order_relaxed);
    snprintf(text, sizeof(text), "fletcher128:%016" PRIx64 "%016" PRIx64, second, first);
  } else {
    snprintf(text, sizeof(text), "crc32:%08" PRIx32, crc32_.load(std::memory_order_acquire));
  }
  return text;
}

/// Any errno is final on a resuming fd: some drivers take the bytes of a failed write and go on,
/// others oops.
Answer DataFd::Write(const uint8_t* data, size_t length) {
  if (dead_) return -ENODEV;
  size_t taken = 0;
  Answer answer = WriteAll(data, length, &taken);
  Sum(data, taken);
  return answer < 0 ? answer : static_cast<Answer>(length);
}

void DataFd::WriteRelayed(const uint8_t* data, size_t length) {
  size_t taken = 0;
  Answer answer = dead_ ? -ENODEV : WriteAll(data, length, &taken);
  Sum(data, taken);
  relayed_ += taken;
  if (answer < 0 && relay_failure_ == 0) relay_failure_ = answer;
}

/// All that was read was posted before anybody could hear of it: what is not there has failed.
Answer DataFd::Relayed(uint64_t bytes) const {
  if (relayed_ >= bytes) return static_cast<Answer>(bytes);
  return relay_failure_ < 0 ? relay_failure_ : -ENODEV;
}

Answer DataFd::WriteAll(const uint8_t* data, size_t length, size_t* taken) {
  while (*taken < length) {
    if (closing()) return -ECANCELED;
    Answer answer = Answered(write(fd_.get(), data + *taken, length - *taken));
    if (answer <= 0) {
      dead_ = true;
      return answer < 0 ? answer : -EIO;
    }
    *taken += static_cast<size_t>(answer);
  }
  return 0;
}

PrecopyInfo DataFd::GetPrecopyInfo() {
  PrecopyInfo info;
  if (closing() || !Enter()) {
    info.result = -ENODEV;
    return info;
  }
  // flags is echoed where nobody opted into INFOv2, so it has to go in as 0.
  uapi::PrecopyInfo raw{sizeof(raw), 0, 0, 0};
  info.result = Ioctl(fd_.get(), uapi::kMigGetPrecopyInfo, &raw);
  Leave();
  if (info.result < 0) return info;
  info.initial_bytes = raw.initial_bytes;
  info.dirty_bytes = raw.dirty_bytes;
  info.flags = raw.flags;
  if (Exact(raw.initial_bytes) < 0 || Exact(raw.dirty_bytes) < 0) info.result = -EOVERFLOW;
  return info;
}

}  // namespace vfio_migrate
