// Processor time and requests of streamed output, for each command and each megabyte, beside the bare HTTP calls that
// bring the same, in the same run; and the memory that a long output takes.
//
//   eval "$(golem-devnet --port 0 …)"  or a real daemon, then:  stream_cost [COMMANDS] [MEGABYTES]
//
// It needs a daemon in another process (YAGNA_APPKEY), so that only the client's processor time is counted.

#include "measuring.hpp"

#include <golem/http/stream.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

namespace {

struct Cost {
    double cpu_ms = 0;
    double requests = 0;
};

struct Figures {
    std::shared_ptr<golem::http::CountingTransport> transport;
    int commands = 100;
    int megabytes = 64;
    std::string app_key;
    Cost command, bare_command, megabyte, bare_megabyte;
    long peak_before = 0;
    long peak = 0;
};

long peak_kilobytes()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

class Worker : public golem::Service {
public:
    explicit Worker(Figures& figures) : figures_(figures) {}

    golem::Payload payload() const override { return benchmarks::any_image(); }

    golem::Task<> run(golem::WorkContext& work) override
    {
        const auto count = std::to_string(figures_.megabytes) + "000000";
        const auto much = "sleep 0.3; yes 0123456789abcde | head -c " + count;
        std::size_t told = 0;
        const golem::EventSink sink([&told](const golem::CommandEvent& event) {
            told += event.kind == golem::CommandEvent::Kind::out ? event.text.size() : 0;
        });
        begin();
        for (int i = 0; i < figures_.commands; ++i)
            co_await work.run_streamed(sink, "/bin/sh", "-c", "echo one");
        figures_.command = cost(figures_.commands);
        begin();
        for (int i = 0; i < figures_.commands; ++i)
            co_await call_bare(work, "echo one");
        figures_.bare_command = cost(figures_.commands);
        told = 0;
        figures_.peak_before = peak_kilobytes();
        begin();
        co_await work.run_streamed(sink, "/bin/sh", "-c", much);
        figures_.megabyte = cost(figures_.megabytes);
        figures_.peak = peak_kilobytes();
        if (std::to_string(told) != count)
            std::printf("only %zu of %s bytes were told\n", told, count.c_str());
        begin();
        co_await call_bare(work, much);
        figures_.bare_megabyte = cost(figures_.megabytes);
    }

private:
    void begin()
    {
        cpu_at_begin_ = benchmarks::cpu_seconds();
        requests_at_begin_ = figures_.transport->total();
    }

    Cost cost(double units) const
    {
        const auto requests = static_cast<double>(figures_.transport->total() - requests_at_begin_);
        return Cost{1e3 * (benchmarks::cpu_seconds() - cpu_at_begin_) / units, requests / units};
    }

    golem::http::Request request(golem::http::Method method, const std::string& target) const
    {
        golem::http::Request made(method, target);
        made.headers().set("Authorization", "Bearer " + figures_.app_key);
        return made;
    }

    // The calls and the bytes, nothing read of them but that the end has come.
    golem::Task<> call_bare(golem::WorkContext& work, std::string line)
    {
        const std::string target = "/activity-api/v1/activity/" + work.activity() + "/exec";
        auto exec = request(golem::http::Method::post, target);
        exec.set_body(
            R"({"text":"[{\"run\":{\"entry_point\":\"/bin/sh\",\"args\":[\"-c\",\")" + line +
            R"(\"],\"capture\":{\"stdout\":{\"stream\":{\"format\":\"bin\"}}}}}]"})");
        const auto batch = co_await figures_.transport->send(exec);
        const auto id = batch.body().substr(1, batch.body().size() - 2);
        auto events = request(golem::http::Method::get, target + "/" + id);
        events.headers().set("Accept", "text/event-stream");
        events.set_response_limit(std::string::npos).set_limit(std::chrono::hours(1));
        const auto stream = co_await figures_.transport->open(events);
        std::string tail;
        while (tail.find("return_code") == std::string::npos) {
            const auto piece = co_await stream->read();
            if (!piece)
                break;
            tail = tail.substr(tail.size() - std::min<std::size_t>(tail.size(), 16)) + *piece;
        }
        auto result = request(golem::http::Method::get, target + "/" + id + "?timeout=60&commandIndex=0");
        result.set_response_limit(64u << 20);
        const auto answer = co_await figures_.transport->send(result);
        if (answer.status() != 200)
            std::abort();
    }

    Figures& figures_;
    double cpu_at_begin_ = 0;
    std::size_t requests_at_begin_ = 0;
};

void tell(const char* what, const Cost& ours, const Cost& bare)
{
    std::printf(
        "per %s: %.3f ms CPU, %.2f requests; the bare calls: %.3f ms CPU, %.2f requests; ratio %.2f\n", what,
        ours.cpu_ms, ours.requests, bare.cpu_ms, bare.requests, ours.cpu_ms / bare.cpu_ms);
}

} // namespace

int main(int argc, char** argv)
{
    const auto daemon = golem::Daemon::from_environment();
    Figures figures;
    figures.commands = argc > 1 ? std::atoi(argv[1]) : figures.commands;
    figures.megabytes = argc > 2 ? std::atoi(argv[2]) : figures.megabytes;
    figures.app_key = daemon.app_key();
    golem::ServiceManagerOptions options;
    options.daemon = benchmarks::counted(daemon, figures.transport);
    golem::ServiceManager manager(options);
    auto service = manager.create_service<Worker>(std::ref(figures));
    golem::wait(manager, service->wait_for(golem::ServiceStatus::stopped));
    golem::wait(manager, manager.close());
    tell("streamed command", figures.command, figures.bare_command);
    tell("streamed megabyte", figures.megabyte, figures.bare_megabyte);
    std::printf(
        "peak memory: %ld kB before, %ld kB after %d MB\n", figures.peak_before, figures.peak, figures.megabytes);
}
