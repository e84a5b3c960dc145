// A program that is no coroutine and has threads of its own: golem::wait is its bridge to the library.
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>

#include <csignal>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

// The one coroutine: what happens on the machine.
class Word : public golem::Service {
public:
    Word(std::string word, std::shared_ptr<std::string> answer) : word_(std::move(word)), answer_(std::move(answer)) {}

    golem::Payload payload() const override
    {
        return golem::vm_image(
            "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae",
            "http://registry.golem.network/download/9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae");
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        const auto sum = co_await work.run("/bin/sh", "-c", "printf " + word_ + " | sha256sum | cut -c1-16");
        *answer_ = work.provider().name + ": " + word_ + " is " + sum.out;
    }

private:
    std::string word_;
    std::shared_ptr<std::string> answer_;
};

// On threads of ours: blocks until a machine was found, has answered, and was given back.
std::string ask(golem::ServiceManager& manager, const std::string& word)
{
    const auto answer = std::make_shared<std::string>();
    const auto service = manager.create_service<Word>(word, answer);
    golem::wait(manager, service->wait_for(golem::ServiceStatus::stopped)); // Throws if it failed.
    return *answer;                                                         // Written before the service stopped.
}

std::string ask_twice(golem::ServiceManager& manager, const std::string& word)
{
    auto text = ask(manager, word);
    return text + ask(manager, word + word);
}

volatile std::sig_atomic_t interrupted = 0;

} // namespace

int main()
try {
    std::signal(SIGINT, [](int) { interrupted = 1; });
    golem::ServiceManagerOptions options;
    options.daemon = golem::devnet::daemon_or_devnet();
    golem::ServiceManager manager(options); // Has a thread of its own.

    std::vector<std::future<std::string>> texts;
    for (const std::string word : {"golem", "clay"})
        texts.push_back(std::async(std::launch::async, ask_twice, std::ref(manager), word));
    for (const auto& text : texts) {
        while (text.wait_for(50ms) != std::future_status::ready && !interrupted) {
        }
    }
    // One that failed must not be waited for by another that waits for ever: close() ends what still runs, and refuses
    // new services.
    std::exception_ptr failure;
    for (auto& text : texts) {
        if (interrupted || failure)
            break;
        try {
            std::cout << text.get();
        } catch (...) {
            failure = std::current_exception();
        }
    }
    for (const auto& line : golem::wait(manager, manager.close()))
        std::cerr << "left over: " << line << '\n';
    if (failure)
        std::rethrow_exception(failure);
    return interrupted ? 130 : 0;
} catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
}
