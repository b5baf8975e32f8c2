// SPDX-License-Identifier: Apache-2.0
// How a lane delivers what it has done:
//
//   batches COUNT [slow] [single] [growing]
//
// COUNT jobs, the first of which ends when all are posted. `slow` ones take 2 ms each, `single`
// ones are of a kind that is not held, and `growing` has the second one post all but these two. A
// line of letters, one a job: A for what is delivered ahead of the next one, D for what wakes
// whoever waits.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../../../native/core/call.h"
#include "../../../native/core/lane.h"

namespace {

using namespace vfio_migrate;

struct Scene {
  Lane lane;
  bool slow = false;
  bool single = false;
  bool growing = false;
  Mutex mutex;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  bool posted = false;
  std::vector<char> letters;

  void Wait(bool (*holds)(const Scene&)) {
    Lock lock(mutex);
    while (!holds(*this)) pthread_cond_wait(&changed, mutex.get());
  }
  void Tell() { pthread_cond_broadcast(&changed); }
};

class Recorded final : public Job {
 public:
  Scene* scene = nullptr;
  size_t index = 0;
  std::vector<Recorded>* all = nullptr;

  void Run() override;
  void Refuse(Answer) override {}
  void Deliver() override { Record('D'); }
  void DeliverAhead() override { Record('A'); }
  bool MayBeHeld() const override { return !scene->single; }

 private:
  void Record(char letter) {
    Lock lock(scene->mutex);
    scene->letters.push_back(letter);
    scene->Tell();
  }
};

void Recorded::Run() {
  if (index == 0) {
    scene->Wait([](const Scene& s) { return s.posted; });
  } else if (index == 1 && scene->growing) {
    for (size_t i = 2; i < all->size(); i++) scene->lane.Post(&(*all)[i]);
  }
  if (!scene->slow) return;
  for (double end = NowMs() + 2; NowMs() < end;) {
  }
}

void* Serve(void* lane) {
  static_cast<Lane*>(lane)->Serve();
  return nullptr;
}

}  // namespace

int main(int argc, char* argv[]) {
  Scene scene;
  size_t count = argc > 1 ? strtoul(argv[1], nullptr, 10) : 0;
  for (int i = 2; i < argc; i++) {
    scene.slow |= strcmp(argv[i], "slow") == 0;
    scene.single |= strcmp(argv[i], "single") == 0;
    scene.growing |= strcmp(argv[i], "growing") == 0;
  }
  std::vector<Recorded> jobs(count);
  for (size_t i = 0; i < count; i++) {
    jobs[i].scene = &scene;
    jobs[i].index = i;
    jobs[i].all = &jobs;
  }
  pthread_t thread;
  if (pthread_create(&thread, nullptr, Serve, &scene.lane) != 0) return 1;
  for (size_t i = 0; i < (scene.growing ? 2 : count); i++) scene.lane.Post(&jobs[i]);
  {
    Lock lock(scene.mutex);
    scene.posted = true;
    scene.Tell();
    while (scene.letters.size() < count) pthread_cond_wait(&scene.changed, scene.mutex.get());
  }
  scene.lane.Stop();
  pthread_join(thread, nullptr);
  printf("%.*s\n", static_cast<int>(count), scene.letters.data());
  return 0;
}
