// SPDX-License-Identifier: Apache-2.0
#include "pump.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

namespace vfio_migrate {

void PumpControl::Cancel() {
  Lock lock(mutex_);
  cancelled_.store(true, std::memory_order_release);
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(cancel_.get(), &one, sizeof(one));
}

std::unique_ptr<Pump> Pump::Create(const Held<DataFd>& session, int fd, int access,
                                   const PumpLimits& limits) {
  auto control = Held<PumpControl>::Adopt(new (std::nothrow) PumpControl());
  if (!control) return nullptr;
  std::unique_ptr<Pump> pump(new (std::nothrow) Pump(session, std::move(control), limits));
  if (pump) pump->Prepare(fd, access);
  return pump;
}

void Pump::Prepare(int fd, int access) {
  Answer answer = far_.Take(fd, access);
  if (answer < 0) {
    Fail(PumpCall::kDup, answer);
    return;
  }
  control_->cancel_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!control_->cancel_) Fail(PumpCall::kEventfd, -errno);
}

Pump::~Pump() {
  Lock lock(control_->mutex_);
  control_->cancel_.Close();
}

bool Pump::Fail(PumpCall call, Answer answer) {
  result_.call = call;
  result_.result = answer;
  return false;
}

bool Pump::Begin() {
  session_->DeliverHeld();
  if (result_.result < 0) return false;
  result_.buffer = session_->pool().Take(kPieceBytes);
  return result_.buffer ? true : Fail(PumpCall::kMmap, -ENOMEM);
}

/// Waits for its time. False where there is to be none.
bool Pump::BeginPiece() {
  piece_ = std::min<uint64_t>(pace_.PieceBytes(kPieceBytes), left_);
  if (piece_ == 0) return false;
  if (control_->cancelled_.load(std::memory_order_acquire) || session_->closing())
    return Fail(PumpCall::kRead, -ECANCELED);
  begun_ms_ = NowMs();
  double wait_ms = pace_.WaitMs(begun_ms_);
  if (wait_ms == 0) return true;
  Answer answer = Wait(-1, 0, wait_ms);
  begun_ms_ += wait_ms;
  return answer < 0 ? Fail(PumpCall::kRead, answer) : true;
}

bool Pump::CountRead(Answer answer) {
  Fail(PumpCall::kRead, answer);
  if (answer <= 0) return false;
  auto bytes = static_cast<uint64_t>(answer);
  left_ -= bytes;
  pace_.Took(begun_ms_, bytes);
  control_->bytes_read_.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

bool Pump::Hold(const uint8_t* data, size_t length) {
  result_.buffer = session_->pool().Take(length);
  if (!result_.buffer) return false;
  memcpy(result_.buffer->data(), data, length);
  held_length_ = length;
  return true;
}

PumpResult Pump::Put() {
  if (result_.result < 0) return End();
  Fail(PumpCall::kWrite, static_cast<Answer>(held_length_));
  WriteFar(held_length_);
  // Whoever gave it has it yet.
  result_.rest_length = 0;
  return End();
}

PumpResult Pump::Save(int wait_ms) {
  if (!Begin()) return End();
  while (BeginPiece()) {
    Answer answer = session_->ReadInto(result_.buffer->data(), piece_, wait_ms,
                                       control_->cancel_.get(), &result_.arc);
    // An image arrives as one: its first bytes say that the rest is there to be read.
    wait_ms = 0;
    if (!CountRead(answer) || !WriteFar(static_cast<size_t>(answer))) break;
  }
  return End();
}

PumpResult Pump::Load() {
  if (!Begin()) return End();
  uint8_t* data = result_.buffer->data();
  while (BeginPiece()) {
    Answer answer = ReadFar();
    if (!CountRead(answer)) break;
    answer = session_->Write(data, static_cast<size_t>(answer));
    if (answer < 0) {
      Fail(PumpCall::kWrite, answer);
      break;
    }
    control_->bytes_written_.fetch_add(static_cast<uint64_t>(answer), std::memory_order_relaxed);
  }
  return End();
}

PumpResult Pump::End() {
  result_.bytes = control_->bytes_written();
  // For the next one at once, and not when JavaScript has heard of it.
  if (result_.rest_length == 0) result_.buffer = Held<Buffer>();
  return std::move(result_);
}

Answer Pump::ReadFar() {
  for (;;) {
    Answer answer = far_.Read(result_.buffer->data(), piece_);
    if (answer != -EAGAIN) return answer;
    answer = Wait(far_.fd(), POLLIN, -1);
    if (answer < 0) return answer;
  }
}

/// Also when it is cancelled, as long as the far end takes it without being waited for.
bool Pump::WriteFar(size_t length) {
  const uint8_t* data = result_.buffer->data();
  for (result_.rest_at = 0; result_.rest_at < length;) {
    Answer answer = far_.Write(data + result_.rest_at, length - result_.rest_at);
    if (answer > 0) {
      result_.rest_at += static_cast<size_t>(answer);
      control_->bytes_written_.fetch_add(static_cast<uint64_t>(answer), std::memory_order_relaxed);
      continue;
    }
    // A file that takes nothing and says nothing would be asked for ever.
    if (answer == 0) answer = -EIO;
    if (answer == -EAGAIN) answer = Wait(far_.fd(), POLLOUT, -1);
    if (answer < 0) {
      result_.rest_length = length - result_.rest_at;
      return Fail(PumpCall::kWrite, answer);
    }
  }
  return true;
}

/// Until `fd` may be ready or the time is over, which a negative one never is: 0. -ECANCELED when
/// the pump is cancelled or the session ends.
Answer Pump::Wait(int fd, short events, double timeout_ms) {
  pollfd fds[] = {
      {fd, events, 0}, {session_->wake_fd(), POLLIN, 0}, {control_->cancel_.get(), POLLIN, 0}};
  auto ns = static_cast<int64_t>(std::ceil(timeout_ms * 1e6));
  timespec timeout = {static_cast<time_t>(ns / 1000000000), static_cast<long>(ns % 1000000000)};
  Answer answer = Answered(ppoll(fds, 3, timeout_ms < 0 ? nullptr : &timeout, nullptr));
  if (answer < 0) return answer == -EINTR ? 0 : answer;
  return fds[1].revents != 0 || fds[2].revents != 0 ? -ECANCELED : 0;
}

}  // namespace vfio_migrate
