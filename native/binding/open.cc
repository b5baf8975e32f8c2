// SPDX-License-Identifier: Apache-2.0
#include "open.h"

#include <climits>
#include <cstring>

#include "arguments.h"
#include "operation.h"

namespace vfio_migrate {

namespace {

constexpr char kControlLane[] = "vfio-control";

/// Opens in what becomes the device's control lane: opening may reset a PCI function, which takes a
/// second. `open(DeviceFds*, OpenStep*)`.
template <typename Open>
class OpenCall final : public Completion {
 public:
  OpenCall(Held<CompletionQueue> queue, Held<Device> device, Open open)
      : Completion(std::move(queue), nullptr), open_(std::move(open)) {
    opened_.device = Owner<Device>(std::move(device));
  }

  void Run() override {
    DeviceFds fds;
    opened_.result = open_(&fds, &opened_.step);
    if (opened_.result < 0) return;
    opened_.result = 0;
    opened_.device->Hold(std::move(fds));
  }
  void Refuse(Answer answer) override { opened_.result = answer; }

  /// A failure is answered when its lane has ended, so that nothing of it is left by then.
  void Deliver() override {
    if (opened_.result >= 0 || !opened_.device) return Completion::Deliver();
    Held<Device> device = opened_.device.held();
    opened_.device = Owner<Device>();
    device->DeliverWhenClosed(this);
  }

 private:
  Napi::Value ToJs(Napi::Env env) override { return vfio_migrate::ToJs(env, opened_); }

  Open open_;
  Opened opened_;
};

Napi::Value Resolved(Napi::Env env, Opened opened) {
  Napi::Promise::Deferred deferred(env);
  deferred.Resolve(ToJs(env, opened));
  return deferred.Promise();
}

template <typename Open>
Napi::Value BeginOpen(Napi::Env env, Open open) {
  Held<Device> device = Device::Create();
  if (!device) return OutOfMemory(env);
  Opened failed;
  failed.result = device->Start(kControlLane);
  if (failed.result < 0) return Resolved(env, std::move(failed));
  auto* call =
      new (std::nothrow) OpenCall<Open>(Environment::Of(env).queue(), device, std::move(open));
  if (!call) {
    device->Shutdown();
    return OutOfMemory(env);
  }
  Napi::Value promise = call->Begin(env);
  if (promise.IsEmpty()) {
    delete call;
  } else {
    device->Post(call);
  }
  return promise;
}

struct Token {
  bool given = false;
  uint8_t bytes[kTokenBytes] = {};
};

Token ReadToken(Arguments* arguments, size_t index) {
  Token token;
  if (arguments->IsUndefined(index)) return token;
  Napi::Uint8Array bytes = arguments->Bytes(index, "token");
  if (arguments->failed()) return token;
  if (bytes.ByteLength() != kTokenBytes) {
    arguments->Fail("token", "16 bytes");
    return token;
  }
  token.given = true;
  memcpy(token.bytes, bytes.Data(), kTokenBytes);
  return token;
}

/// -1 where there is none.
int ReadCompanion(Arguments* arguments, const Napi::Object& companions, const char* role) {
  if (arguments->failed()) return -1;
  Napi::Value number = companions.Get(role);
  if (!number.IsEmpty() && number.IsUndefined()) return -1;
  if (IsInteger(number, 0, INT_MAX)) return number.As<Napi::Number>().Int32Value();
  arguments->Fail(role, "an fd");
  return -1;
}

/// Numbers first, ownership last: a mistake in one must not close another.
LentNumbers ReadNumbers(Arguments* arguments) {
  LentNumbers numbers;
  numbers.device = static_cast<int>(arguments->Integer(0, "fd", 0, INT_MAX));
  Napi::Object companions = arguments->Object(1, "companions");
  numbers.iommufd = ReadCompanion(arguments, companions, "iommufd");
  numbers.group = ReadCompanion(arguments, companions, "group");
  numbers.container = ReadCompanion(arguments, companions, "container");
  return numbers;
}

}  // namespace

Napi::Value OpenCdevCall(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string cdev = arguments.String(0, "cdev");
  std::string iommufd = arguments.String(1, "iommufd");
  Token token = ReadToken(&arguments, 2);
  if (arguments.failed()) return arguments.Throw();
  return BeginOpen(info.Env(), [cdev, iommufd, token](DeviceFds* fds, OpenStep* step) {
    return OpenCdev(cdev.c_str(), iommufd.c_str(), token.given ? token.bytes : nullptr, fds, step);
  });
}

Napi::Value OpenGroupCall(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string group = arguments.String(0, "group");
  std::string container = arguments.String(1, "container");
  auto type = static_cast<int>(arguments.Integer(2, "iommuType", 0, INT_MAX));
  std::string name = arguments.String(3, "name");
  if (arguments.failed()) return arguments.Throw();
  return BeginOpen(info.Env(), [group, container, type, name](DeviceFds* fds, OpenStep* step) {
    return OpenGroup(group.c_str(), container.c_str(), type, name.c_str(), fds, step);
  });
}

Napi::Value AdoptCall(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  Napi::Env env = info.Env();
  LentNumbers numbers = ReadNumbers(&arguments);
  if (arguments.failed()) return arguments.Throw();
  Held<Device> device = Device::Create();
  if (!device) return OutOfMemory(env);
  DeviceFds fds;
  Opened opened;
  opened.result = AdoptLent(numbers, &fds);
  if (opened.result < 0) return ToJs(env, opened);
  opened.result = device->Start(kControlLane);
  if (opened.result < 0) {
    GiveBackLent(&fds);
    return ToJs(env, opened);
  }
  device->Hold(std::move(fds));
  opened.device = Owner<Device>(std::move(device));
  return ToJs(env, opened);
}

}  // namespace vfio_migrate
