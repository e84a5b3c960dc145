#include <golem/provider/scripted_runtime.hpp>

#include "provider/requestor_calls.hpp"

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/provider/detail/kept_output.hpp>
#include <golem/provider/detail/location.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

namespace golem::provider {

namespace {

[[noreturn]] void fail(const char* operation, const std::string& message)
{
    Error error(Errc::command_failed, operation, "as the simulation was told to");
    error.set_their_words(message);
    throw error;
}

std::string kept(const OutputPart& part, const std::string& output)
{
    detail::KeptOutput keeper(part);
    keeper.append(output);
    return keeper.take();
}

class ScriptedRuntime final : public Runtime {
public:
    ScriptedRuntime(const Executor& executor, TimeSource& time, std::shared_ptr<const ScriptedBehaviour> behaviour)
        : time_(time), behaviour_(std::move(behaviour)), created_(time.now()), stopped_(executor)
    {
    }

    Task<std::vector<Volume>> deploy(const DeployRequest& request) override
    {
        stopped_.reset();
        co_await pass(behaviour_->deploy_time);
        if (behaviour_->deploy_failure)
            fail("deploy", *behaviour_->deploy_failure);
        auto volumes = behaviour_->volumes;
        for (const auto& path : request.volumes)
            volumes.push_back(Volume{"vol-" + std::to_string(volumes.size()), path});
        co_return volumes;
    }

    Task<std::string> start(const std::vector<std::string>&) override
    {
        co_await pass(behaviour_->start_time);
        if (behaviour_->start_failure)
            fail("start", *behaviour_->start_failure);
        co_return std::string();
    }

    Task<RunOutput> run(const RunRequest& request) override
    {
        RunOutput output;
        output.exit_code = 137;
        // A reply may tell output as it comes, and be stopped in the middle of it.
        const auto told_out = std::make_shared<std::string>();
        const auto told_err = std::make_shared<std::string>();
        RunRequest heard = request;
        heard.on_out = listener(request.on_out, told_out);
        heard.on_err = listener(request.on_err, told_err);
        if (behaviour_->hangs) {
            co_await stopped_.wait();
        } else if (behaviour_->slow_reply) {
            auto reply = take_slow_reply(heard, output);
            auto stop = stopped_.wait();
            co_await first_of(std::move(reply), std::move(stop));
        } else if (behaviour_->reply) {
            output = behaviour_->reply(request);
        } else {
            output.exit_code = 0;
            if (request.entry_point == "/bin/date" || request.entry_point == "date")
                output.out = date_output(time_.utc());
        }
        tell_rest(request.on_out, *told_out, output.out);
        tell_rest(request.on_err, *told_err, output.err);
        output.out = kept(request.out, output.out);
        output.err = kept(request.err, output.err);
        co_return output;
    }

    Task<> transfer(const std::string& from, const std::string& to) override
    {
        if (behaviour_->transfer_failure)
            fail("transfer", *behaviour_->transfer_failure);
        if (!requestor_)
            co_return;
        auto carrying = behaviour_->carry ? behaviour_->carry(*requestor_, from, to) : carry(from, to);
        auto stop = stopped_.wait();
        const auto first = co_await first_of(std::move(carrying), std::move(stop));
        if (first == 1)
            fail("transfer", detail::transfer_error("the activity has ended"));
    }

    void use_files(std::shared_ptr<RequestorFiles> files) override { requestor_ = std::move(files); }

    Task<std::unique_ptr<MachineConnection>> connect(std::uint16_t port) override
    {
        if (!behaviour_->listener)
            throw Error(Errc::refused, "connect to a machine", "nobody listens there");
        co_return behaviour_->listener(port);
    }

    void stop() noexcept override { stopped_.set(); }

    void kill() noexcept override
    {
        if (!killed_at_)
            killed_at_ = time_.now();
        stopped_.set();
    }

    double cpu_seconds() const override
    {
        const auto life = killed_at_.value_or(time_.now()) - created_;
        return behaviour_->cpu_share * std::chrono::duration<double>(life).count();
    }

private:
    // Beyond that a simulation should not go.
    Task<> carry(const std::string& from, const std::string& to)
    {
        const auto source = detail::parse_location(from).first;
        const auto target = detail::parse_location(to).first;
        if (!source || !target)
            fail("transfer", source ? detail::parse_location(to).second : detail::parse_location(from).second);
        auto& files = *behaviour_->files;
        if (source->scheme == "gftp" && target->scheme == "container") {
            const auto size = co_await requestor_->size(source->target);
            std::string content;
            while (content.size() < size) {
                const auto bytes = co_await requestor_->read(source->target, content.size(), file_chunk);
                if (bytes.empty())
                    fail("transfer", detail::transfer_error("GSB error: the file ended before its size"));
                content += bytes;
            }
            files[target->target] = content;
            if (source->sha3 && source->sha3->size() == 64 && sha3_256(content) != *source->sha3)
                fail("transfer", detail::hash_mismatch(sha3_256(content), *source->sha3));
        } else if (source->scheme == "container" && target->scheme == "gftp") {
            const auto found = files.find(source->target);
            if (found == files.end())
                fail("transfer", detail::transfer_error("IO error: No such file or directory (os error 2)"));
            const std::string content = found->second;
            for (std::size_t at = 0; at < content.size(); at += file_chunk) {
                const auto bytes = content.substr(at, file_chunk);
                co_await requestor_->write(target->target, at, bytes);
            }
            const auto hash = sha3_256(content);
            co_await requestor_->finish(target->target, hash);
        }
    }

    using Listener = std::function<void(std::string_view)>;

    static Listener listener(const Listener& inner, const std::shared_ptr<std::string>& told)
    {
        return [inner, told](std::string_view data) {
            *told += data;
            if (inner)
                inner(data);
        };
    }

    static void tell_rest(const Listener& listener, const std::string& told, std::string& output)
    {
        if (output.size() < told.size())
            output = told;
        else if (listener && output.size() > told.size())
            listener(std::string_view(output).substr(told.size()));
    }

    Task<> pass(Duration duration)
    {
        if (duration <= Duration::zero())
            co_return;
        auto stop = stopped_.wait();
        co_await with_timeout(time_, duration, std::move(stop), "work of a simulated machine");
    }

    Task<> take_slow_reply(const RunRequest& request, RunOutput& output)
    {
        // The behaviour may be changed meanwhile; a coroutine lambda needs its captures to the end.
        const auto slow_reply = behaviour_->slow_reply;
        output = co_await slow_reply(request);
    }

    TimeSource& time_;
    std::shared_ptr<const ScriptedBehaviour> behaviour_;
    Instant created_;
    std::optional<Instant> killed_at_;
    std::shared_ptr<RequestorFiles> requestor_;
    Event stopped_;
};

} // namespace

ScriptedRuntimeFactory::ScriptedRuntimeFactory(const Executor& executor, TimeSource& time, ScriptedBehaviour behaviour)
    : executor_(executor), time_(time), behaviour_(std::make_shared<ScriptedBehaviour>(std::move(behaviour)))
{
}

std::unique_ptr<Runtime> ScriptedRuntimeFactory::make(const std::string&)
{
    return std::make_unique<ScriptedRuntime>(executor_, time_, behaviour_);
}

std::string date_output(Timestamp when)
{
    static constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(when - day));
    std::array<char, 64> text{};
    const int length = std::snprintf(
        text.data(), text.size(), "%s %s %2u %02d:%02d:%02d UTC %d\n", days[std::chrono::weekday(day).c_encoding()],
        months[static_cast<unsigned>(date.month()) - 1], static_cast<unsigned>(date.day()),
        static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
        static_cast<int>(time.seconds().count()), static_cast<int>(date.year()));
    return std::string(text.data(), static_cast<std::size_t>(length));
}

} // namespace golem::provider
