// SPDX-License-Identifier: Apache-2.0
#include "feature.h"

namespace vfio_migrate::feature {

namespace {

using namespace uapi;

template <typename Data>
struct Request {
  DeviceFeature header;
  Data data;
};
static_assert(sizeof(Request<FeatureMigState>) == 16);
static_assert(sizeof(Request<DmaLoggingControl>) == 32);
static_assert(sizeof(Request<uapi::DmaLoggingReport>) == 40);

template <typename Data>
Answer Call(int device, uint32_t flags, Data* data) {
  Request<Data> request{{sizeof(request), flags}, *data};
  Answer answer = Ioctl(device, kDeviceFeature, &request);
  *data = request.data;
  return answer;
}

Answer CallWithoutData(int device, uint32_t flags) {
  DeviceFeature request{sizeof(request), flags};
  return Ioctl(device, kDeviceFeature, &request);
}

}  // namespace

Answer Probe(int device, uint32_t feature, uint32_t operations) {
  return CallWithoutData(device, feature | operations | kFeatureProbe);
}

Answer MigrationFlags(int device) {
  FeatureMigration migration{};
  Answer answer = Call(device, kFeatureGet | kFeatureMigration, &migration);
  return answer < 0 ? answer : Exact(migration.flags);
}

Answer GetState(int device) {
  FeatureMigState state{0, -1};
  Answer answer = Call(device, kFeatureGet | kFeatureMigDeviceState, &state);
  return answer < 0 ? answer : state.device_state;
}

Answer SetState(int device, uint32_t state, int* data_fd) {
  FeatureMigState wanted{state, -1};
  Answer answer = Call(device, kFeatureSet | kFeatureMigDeviceState, &wanted);
  *data_fd = answer < 0 ? -1 : wanted.data_fd;
  return answer;
}

Answer DataSize(int device) {
  FeatureMigDataSize size{};
  Answer answer = Call(device, kFeatureGet | kFeatureMigDataSize, &size);
  return answer < 0 ? answer : Exact(size.stop_copy_length);
}

Answer OptInPrecopyInfoV2(int device) {
  return CallWithoutData(device, kFeatureSet | kFeatureMigPrecopyInfoV2);
}

Answer DmaLoggingStart(int device, uint64_t page_size, const DmaLoggingRange* ranges,
                       uint32_t count) {
  DmaLoggingControl control{page_size, count, 0, reinterpret_cast<uint64_t>(ranges)};
  Answer answer = Call(device, kFeatureSet | kFeatureDmaLoggingStart, &control);
  return answer < 0 ? answer : Exact(control.page_size);
}

Answer DmaLoggingStop(int device) {
  return CallWithoutData(device, kFeatureSet | kFeatureDmaLoggingStop);
}

Answer DmaLoggingReport(int device, uint64_t iova, uint64_t length, uint64_t page_size,
                        uint64_t* bitmap) {
  uapi::DmaLoggingReport report{iova, length, page_size, reinterpret_cast<uint64_t>(bitmap)};
  return Call(device, kFeatureGet | kFeatureDmaLoggingReport, &report);
}

}  // namespace vfio_migrate::feature
