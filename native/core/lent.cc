// SPDX-License-Identifier: Apache-2.0
#include "lent.h"

#include <pthread.h>

#include <new>
#include <utility>

#include "shared.h"

namespace vfio_migrate {

namespace {

struct Taken {
  int number;
  Taken* next;
};

// Threads that are still in a call outlive main(), so nothing here has a destructor.
pthread_mutex_t taken_mutex = PTHREAD_MUTEX_INITIALIZER;
Taken* taken = nullptr;

/// The link that leads to `number`, or the last one.
Taken** Find(int number) {
  Taken** link = &taken;
  while (*link && (*link)->number != number) link = &(*link)->next;
  return link;
}

Answer Take(int number) {
  Taken** link = Find(number);
  if (*link) return -EBUSY;
  *link = new (std::nothrow) Taken{number, nullptr};
  return *link ? 0 : -ENOMEM;
}

void Forget(int number) {
  Taken** link = Find(number);
  if (*link) delete std::exchange(*link, (*link)->next);
}

}  // namespace

Answer TakeLent(const int* numbers, size_t count) {
  Lock lock(&taken_mutex);
  for (size_t i = 0; i < count; i++) {
    Answer answer = numbers[i] < 0 ? 0 : Take(numbers[i]);
    if (answer == 0) continue;
    while (i > 0) Forget(numbers[--i]);
    return answer;
  }
  return 0;
}

void ReturnLent(const int* numbers, size_t count) {
  Lock lock(&taken_mutex);
  for (size_t i = 0; i < count; i++) Forget(numbers[i]);
}

void CloseLent(Fd* fd) {
  int number = fd->get();
  ReturnLent(&number, 1);
  fd->Close();
}

}  // namespace vfio_migrate
