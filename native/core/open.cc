// SPDX-License-Identifier: Apache-2.0
#include "open.h"

#include <initializer_list>

#include "lent.h"
#include "uapi.h"

namespace vfio_migrate {

namespace {

/// 6.12 refuses flags and knows 16 bytes, so the token's part is sent only where there is one.
Answer Bind(int device, int iommufd, const uint8_t* token) {
  uapi::DeviceBindIommufd bind{};
  bind.argsz = token ? sizeof(bind) : uapi::kBindSizeWithoutToken;
  bind.flags = token ? uapi::kBindFlagToken : 0;
  bind.iommufd = iommufd;
  bind.token_uuid_ptr = reinterpret_cast<uint64_t>(token);
  return Ioctl(device, uapi::kDeviceBindIommufd, &bind);
}

}  // namespace

void DeviceFds::Close() {
  if (lent) {
    for (Fd* fd : {&device, &iommufd, &lent_group, &lent_container}) CloseLent(fd);
    return;
  }
  device.Close();
  iommufd.Close();
  share.Close();
}

Answer AdoptLent(const LentNumbers& numbers, DeviceFds* fds) {
  const int all[] = {numbers.device, numbers.iommufd, numbers.group, numbers.container};
  Answer answer = TakeLent(all, sizeof(all) / sizeof(*all));
  if (answer < 0) return answer;
  fds->lent = true;
  fds->device = Fd(numbers.device);
  fds->iommufd = Fd(numbers.iommufd);
  fds->lent_group = Fd(numbers.group);
  fds->lent_container = Fd(numbers.container);
  return 0;
}

void GiveBackLent(DeviceFds* fds) {
  for (Fd* fd : {&fds->device, &fds->iommufd, &fds->lent_group, &fds->lent_container}) {
    int number = fd->Release();
    ReturnLent(&number, 1);
  }
}

Answer OpenCdev(const char* cdev, const char* iommufd, const uint8_t* token, DeviceFds* fds,
                OpenStep* step) {
  *step = OpenStep::kOpenCdev;
  Answer answer = OpenPath(cdev, &fds->device);
  if (answer < 0) return answer;
  *step = OpenStep::kOpenIommufd;
  answer = OpenPath(iommufd, &fds->iommufd);
  if (answer == 0) {
    *step = OpenStep::kBindIommufd;
    answer = Bind(fds->device.get(), fds->iommufd.get(), token);
  }
  if (answer < 0) fds->Close();
  return answer;
}

Answer OpenGroup(const char* group, const char* container, int iommu_type, const char* name,
                 DeviceFds* fds, OpenStep* step) {
  Answer answer = fds->share.Open(group, container, iommu_type, name, step);
  if (answer < 0) return answer;
  *step = OpenStep::kGroupGetDeviceFd;
  answer = Ioctl(fds->share.group_fd(), uapi::kGroupGetDeviceFd, const_cast<char*>(name));
  if (answer < 0) {
    fds->Close();
    return answer;
  }
  fds->device = Fd(static_cast<int>(answer));
  return 0;
}

}  // namespace vfio_migrate
