// A Python console that runs on a provider.
#include "console.hpp"
#include "terminal.hpp"

#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>

#include <CLI/CLI.hpp>
#include <boost/algorithm/hex.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <utility>

namespace {

const std::string ctrl_c = "\x03";

// What one command tells of the console's output. A stream may begin later than its command, so what comes before the
// mark waits for it.
class Output {
public:
    explicit Output(Terminal& terminal) : terminal_(terminal) {}

    golem::Task<> take(const golem::CommandEvent& event)
    {
        if (event.kind != golem::CommandEvent::Kind::out)
            co_return;
        auto text = event.text;
        if (!has_begun_) {
            has_begun_ = text.starts_with(mark);
            text = has_begun_ ? text.substr(1) + held_ : held_ + text;
            held_ = text;
        }
        if (has_begun_)
            co_await terminal_.print(text);
    }

private:
    static constexpr char mark = '\0';
    Terminal& terminal_;
    bool has_begun_ = false;
    std::string held_;
};

// The console lives in the background of its machine, since commands have no input; console.py tells more. While it
// asks for a line nothing is sent; while it is busy, one short command after the other brings what it prints.
class Console : public golem::Service {
public:
    Console(golem::Payload machine, Terminal* terminal) : machine_(std::move(machine)), terminal_(*terminal) {}

    golem::Payload payload() const override { return machine_; }

    golem::Task<> start(golem::WorkContext& work) override
    {
        co_await Service::start(work);
        const auto begin = "printf %s \"$1\" > /golem/work/console.py && " + command + " start $2";
        const std::string kind = Terminal::has_person() ? "" : "quiet";
        co_await work.run("/bin/sh", "-c", begin, "sh", console_program, kind);
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        std::cerr << "on " << work.provider().name << ": Ctrl-C interrupts, twice leaves; Ctrl-D ends" << std::endl;
        auto state = co_await tell(work, "wait");
        while (state != "ended\n") {
            std::string what = "wait";
            std::string line;
            if (interrupt_ == Interrupt::none && state == "asks\n") {
                terminal_.ask_for_line();
                line = co_await work.receive();
                what = "line";
            }
            if (interrupt_ == Interrupt::wanted) {
                what = "interrupt";
                interrupt_ = Interrupt::told;
            } else if (line == ctrl_c) {
                continue; // Told already.
            }
            state = co_await tell(work, what, line);
            if (state == "asks\n" && interrupt_ == Interrupt::told)
                interrupt_ = Interrupt::none;
        }
    }

    // False: the one before has had no effect yet.
    bool interrupt()
    {
        if (interrupt_ != Interrupt::none)
            return false;
        interrupt_ = Interrupt::wanted;
        terminal_.answer(ctrl_c);
        return true;
    }

private:
    // Returns what the console does then.
    golem::Task<std::string> tell(golem::WorkContext& work, const std::string& what, const std::string& line = "")
    {
        Output output(terminal_);
        const golem::EventSink print([&output](const golem::CommandEvent& event) { return output.take(event); });
        const auto text = boost::algorithm::hex(line);
        const auto result = co_await work.run_streamed(print, "/bin/sh", "-c", command + " $@", "sh", what, text);
        co_return result.err;
    }

    inline static const std::string command = "exec python3 -I /golem/work/console.py";
    enum class Interrupt { none, wanted, told };

    golem::Payload machine_;
    Terminal& terminal_;
    Interrupt interrupt_ = Interrupt::none;
};

class Shell {
public:
    golem::Task<> run(golem::ServiceManager& manager, const golem::Payload& machine)
    {
        console_ = manager.create_service<Console>(machine, &terminal_);
        terminal_.on_line([console = console_](std::string line) {
            try {
                console->send(std::move(line));
            } catch (const golem::Error&) {
                // It has ended; whoever waits for it knows.
            }
        });
        co_await console_->wait_for(golem::ServiceStatus::stopped);
    }

    // False: there is no console, or it does not obey.
    bool interrupt()
    {
        const bool is_there = console_ && console_->status() == golem::ServiceStatus::running;
        const auto console = is_there ? console_->service<Console>() : nullptr;
        return console && console->interrupt();
    }

private:
    Terminal terminal_;
    std::shared_ptr<golem::ServiceWrapper> console_;
};

} // namespace

int main(int argc, char** argv)
{
    std::string hash = "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae";
    std::string url = "http://registry.golem.network/download/" + hash;
    std::string budget = "1";
    golem::ServiceManagerOptions manager;
    CLI::App options("A Python console that runs on a provider.");
    options.add_option("--image", hash, "SHA3 of an image with python3; the devnet's providers need none");
    options.add_option("--image-url", url, "Where providers load it from");
    options.add_option("--budget", budget, "What may be spent in all, in GLM")->capture_default_str();
    options.add_option("--log", manager.log.path, "File for the library's log");
    try {
        options.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return options.exit(error) == 0 ? 0 : 2;
    }
    try {
        const auto machine = golem::vm_image(hash, url);
        manager.payment.budget = golem::Amount::parse(budget);
        manager.log.level = golem::LogLevel::debug;
        manager.on_report = [](const golem::MarketReport& report) { std::cerr << report.to_string() << std::endl; };
        manager.daemon = golem::devnet::daemon_or_devnet();
        Shell shell;
        return golem::run(
            [&](golem::ServiceManager& services) { return shell.run(services, machine); }, manager,
            [&] { return shell.interrupt(); });
    } catch (const golem::Error& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 2;
    }
}
