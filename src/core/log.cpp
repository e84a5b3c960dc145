#include <golem/core/log.hpp>

#include <golem/core/error.hpp>
#include <golem/core/redactor.hpp>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <mutex>
#include <utility>

namespace golem {

namespace detail {

class LogCore {
public:
    LogCore(Logger::Sink sink, LogLevel level) : level_(level), sink_(std::move(sink)) {}

    LogLevel level() const noexcept { return level_.load(std::memory_order_relaxed); }

    void set_level(LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }

    void add_secret(std::string secret)
    {
        const std::lock_guard lock(mutex_);
        redactor_.add(std::move(secret));
    }

    void write(LogLevel level, std::string line)
    {
        const std::lock_guard lock(mutex_);
        line = redactor_.redact(std::move(line));
        for (char& c : line) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                c = ' ';
        }
        sink_(level, line);
    }

private:
    std::atomic<LogLevel> level_;
    std::mutex mutex_;
    Redactor redactor_;
    Logger::Sink sink_;
};

} // namespace detail

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) noexcept
{
    switch (level) {
    case LogLevel::trace: return spdlog::level::trace;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: break;
    }
    return spdlog::level::off;
}

void validate(const LogOptions& options)
{
    const auto refuse = [](const char* member, std::size_t value, const char* range) {
        throw Error(
            Errc::invalid_input, "open the log",
            std::string("LogOptions::") + member + " is " + std::to_string(value) + ", but must be " + range);
    };
    if (options.max_size < 1024)
        refuse("max_size", options.max_size, "at least 1024");
    if (options.max_files < 1 || options.max_files > 1000)
        refuse("max_files", options.max_files, "1 to 1000");
}

} // namespace

std::string_view to_string(LogLevel level) noexcept
{
    switch (level) {
    case LogLevel::trace: return "trace";
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    case LogLevel::off: break;
    }
    return "off";
}

Logger::Logger(Sink sink, LogLevel level) : core_(std::make_shared<detail::LogCore>(std::move(sink), level)) {}

bool Logger::enabled(LogLevel level) const noexcept
{
    return core_ && level != LogLevel::off && level >= core_->level();
}

void Logger::set_level(LogLevel level) const noexcept
{
    if (core_)
        core_->set_level(level);
}

Logger Logger::with_tag(std::string tag) const
{
    auto tagged = *this;
    tagged.prefix_ += "[" + std::move(tag) + "] ";
    return tagged;
}

void Logger::add_secret(std::string secret) const
{
    if (core_)
        core_->add_secret(std::move(secret));
}

void Logger::write(LogLevel level, std::string line) const { core_->write(level, std::move(line)); }

Logger make_logger(const LogOptions& options)
{
    validate(options);
    // Not registered with spdlog: two managers of a process may log to two places.
    auto target = std::make_shared<spdlog::logger>("golem");
    if (options.to_stderr)
        target->sinks().push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    if (!options.path.empty()) {
        try {
            target->sinks().push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                options.path.string(), options.max_size, options.max_files));
        } catch (const spdlog::spdlog_ex& failure) {
            throw Error(
                Errc::invalid_input, "open the log",
                "the file \"" + options.path.string() + "\" cannot be opened for writing: choose another path")
                .set_their_words(failure.what());
        }
    }
    if (target->sinks().empty())
        return Logger();
    target->set_level(spdlog::level::trace);
    target->set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc));
    target->flush_on(spdlog::level::info);
    const auto write = [target](LogLevel level, std::string_view line) {
        target->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
    };
    return Logger(write, options.level);
}

} // namespace golem
