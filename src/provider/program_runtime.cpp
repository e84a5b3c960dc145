#include <golem/provider/program_runtime.hpp>

#include <golem/core/error.hpp>

#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace golem::provider {

namespace {

// The processes' runtime wants an image; nobody looks for this one.
constexpr auto no_image = "hash:sha3:00000000000000000000000000000000000000000000000000000000:http://localhost/none";

class ProgramRuntime final : public Runtime {
public:
    ProgramRuntime(std::unique_ptr<Runtime> processes, std::string program)
        : processes_(std::move(processes)), program_(std::move(program))
    {
    }

    Task<std::vector<Volume>> deploy(const DeployRequest& request) override
    {
        auto bare = request;
        bare.image = no_image;
        auto volumes = co_await processes_->deploy(bare);
        co_return volumes;
    }

    Task<std::string> start(const std::vector<std::string>& args) override
    {
        RunRequest request;
        request.entry_point = "start";
        request.args = args;
        request.err = request.out;
        auto output = co_await run(request);
        if (output.exit_code != 0)
            fail(output);
        co_return std::move(output.out);
    }

    Task<RunOutput> run(const RunRequest& request) override
    {
        auto whole = request;
        whole.entry_point = program_;
        whole.args.insert(whole.args.begin(), request.entry_point);
        auto output = co_await processes_->run(whole);
        co_return output;
    }

    Task<> transfer(const std::string& from, const std::string& to) override { return processes_->transfer(from, to); }

    void use_files(std::shared_ptr<RequestorFiles> files) override { processes_->use_files(std::move(files)); }

    Task<std::unique_ptr<MachineConnection>> connect(std::uint16_t port) override { return processes_->connect(port); }

    void stop() noexcept override { processes_->stop(); }
    void kill() noexcept override { processes_->kill(); }
    double cpu_seconds() const override { return processes_->cpu_seconds(); }
    std::optional<std::uint64_t> transferred() const override { return processes_->transferred(); }

private:
    [[noreturn]] static void fail(const RunOutput& output)
    {
        auto words = output.err.substr(0, output.err.find_last_not_of("\r\n ") + 1);
        if (words.empty())
            words = "start ended with exit code " + std::to_string(output.exit_code);
        Error error(Errc::command_failed, "start", "the runtime's program failed to start");
        error.set_their_words("Runtime error: " + words);
        throw error;
    }

    std::unique_ptr<Runtime> processes_;
    std::string program_;
};

class ProgramRuntimeFactory final : public RuntimeFactory {
public:
    ProgramRuntimeFactory(std::shared_ptr<RuntimeFactory> processes, std::string program)
        : processes_(std::move(processes)), program_(std::move(program))
    {
    }

    std::unique_ptr<Runtime> make(const std::string& activity) override
    {
        return std::make_unique<ProgramRuntime>(processes_->make(activity), program_);
    }

private:
    std::shared_ptr<RuntimeFactory> processes_;
    std::string program_;
};

} // namespace

std::shared_ptr<RuntimeFactory> make_program_runtime(
    const Executor& executor, TimeSource& time, const std::string& program, ProcessRuntimeOptions options)
{
    std::error_code error;
    // Commands start in directories of their own.
    const auto path = std::filesystem::absolute(program, error);
    if (program.empty() || error || !std::filesystem::is_regular_file(path, error) || ::access(path.c_str(), X_OK) != 0)
        throw Error(
            Errc::invalid_input, "make a program's runtime",
            "program is not a file that can be executed: \"" + program + "\"");
    auto processes = make_process_runtime(executor, time, std::move(options));
    return std::make_shared<ProgramRuntimeFactory>(std::move(processes), path.string());
}

} // namespace golem::provider
