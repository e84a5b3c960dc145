#include <golem/provider/process_runtime.hpp>

#include "provider/child_process.hpp"
#include "provider/guarded_directory.hpp"
#include "provider/loopback_connection.hpp"
#include "provider/processes.hpp"

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/provider/detail/location.hpp>

#include <openssl/evp.h>

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

namespace golem::provider {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* operation, std::string message)
{
    Error error(Errc::command_failed, operation, "the requestor's command cannot be carried out");
    error.set_their_words(std::move(message));
    throw error;
}

// As Rust's standard library tells an errno.
[[noreturn]] void fail_transfer(int error)
{
    fail(
        "transfer",
        detail::transfer_error(
            "IO error: " + std::string(std::strerror(error)) + " (os error " + std::to_string(error) + ")"));
}

[[noreturn]] void fail_lost()
{
    fail(
        "run", "Runtime error: the command's exit code is lost: the provider's program ignores SIGCHLD or waits for "
               "children that are not its own");
}

// The activity's directory; it goes when nobody who might write to it is left.
class PrivateDirectory {
public:
    explicit PrivateDirectory(std::shared_ptr<GuardedDirectory> parent) : parent_(std::move(parent))
    {
        auto name = (parent_->path() / "activity-XXXXXX").string();
        if (!::mkdtemp(name.data()))
            throw_errno(errno, "mkdtemp");
        path_ = name;
    }

    ~PrivateDirectory()
    {
        std::error_code error;
        fs::remove_all(path_, error);
        if (!error)
            return;
        // A command may have taken our own rights away from a directory.
        std::error_code ignored; // Best effort of a destructor: what cannot be opened stays.
        for (fs::recursive_directory_iterator entry(path_, fs::directory_options::skip_permission_denied, ignored), end;
             !ignored && entry != end; entry.increment(ignored)) {
            if (entry->is_directory(ignored) && !entry->is_symlink(ignored))
                fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
        }
        fs::remove_all(path_, ignored);
    }

    PrivateDirectory(const PrivateDirectory&) = delete;
    PrivateDirectory& operator=(const PrivateDirectory&) = delete;

    const fs::path& path() const noexcept { return path_; }

private:
    std::shared_ptr<GuardedDirectory> parent_;
    fs::path path_;
};

// What the runtimes of one factory share.
class Premises {
public:
    Premises(TimeSource& time, ProcessRuntimeOptions process_options)
        : options(std::move(process_options)), processor_times(time)
    {
    }

    std::shared_ptr<PrivateDirectory> make_directory()
    {
        try {
            if (!directory_)
                directory_ = std::make_shared<GuardedDirectory>(options.root);
            return std::make_shared<PrivateDirectory>(directory_);
        } catch (const std::system_error& failure) {
            fail(
                "deploy",
                "Runtime error: cannot make a guarded directory in " + options.root.string() + ": " + failure.what());
        }
    }

    const ProcessRuntimeOptions options;
    ProcessorTimes processor_times;

private:
    // Made for the first activity: most programs have none.
    std::shared_ptr<GuardedDirectory> directory_;
};

std::string sha3_of(const fs::path& path, std::size_t bits)
{
    const EVP_MD* kind = bits == 224   ? EVP_sha3_224()
                         : bits == 256 ? EVP_sha3_256()
                         : bits == 384 ? EVP_sha3_384()
                                       : EVP_sha3_512();
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::ifstream file(path, std::ios::binary);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    bool good = context && file && EVP_DigestInit_ex(context.get(), kind, nullptr) == 1;
    std::array<char, 65536> buffer;
    while (good && file) {
        file.read(buffer.data(), buffer.size());
        good = EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(file.gcount())) == 1;
    }
    if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1)
        fail("transfer", detail::transfer_error("the content's hash cannot be calculated"));
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
        text += hex[digest[i] >> 4];
        text += hex[digest[i] & 15];
    }
    return text;
}

class ProcessRuntime final : public Runtime {
public:
    ProcessRuntime(const Executor& executor, std::shared_ptr<Premises> premises)
        : executor_(executor), premises_(std::move(premises)), cpu_(std::make_shared<double>(0.0)), stopped_(executor)
    {
    }

    ~ProcessRuntime() override { kill(); }

    Task<std::vector<Volume>> deploy(const DeployRequest& request) override
    {
        if (killed_)
            fail("deploy", "Runtime error: the activity has ended");
        if (const auto problem = detail::image_problem(request.image))
            fail("deploy", *problem);
        if (!directory_)
            directory_ = premises_->make_directory();
        std::vector<Volume> volumes = {
            {"vol-work", "/golem/work"},
            {"vol-input", "/golem/input"},
            {"vol-output", "/golem/output"},
            {"vol-resource", "/golem/resource"}};
        for (const auto& asked : request.volumes) {
            const auto path = detail::normalised(asked);
            if (path.size() < 2 || path.front() != '/')
                fail("deploy", "Runtime error: not a path for a volume: " + asked);
            const auto same = [&](const Volume& volume) { return volume.path == path; };
            if (std::none_of(volumes.begin(), volumes.end(), same))
                volumes.push_back(Volume{"vol-" + std::to_string(volumes.size()), path});
        }
        mappings_.clear();
        for (const auto& volume : volumes) {
            const auto host = directory_->path().string() + volume.path;
            std::error_code error;
            fs::create_directories(host, error);
            if (error)
                fail("deploy", "Runtime error: cannot make the volume " + volume.path + ": " + error.message());
            mappings_.push_back(detail::Mapping{volume.path, host});
        }
        co_return volumes;
    }

    Task<std::string> start(const std::vector<std::string>&) override { co_return std::string(); }

    Task<std::unique_ptr<MachineConnection>> connect(std::uint16_t port) override { return connect_to_loopback(port); }

    Task<RunOutput> run(const RunRequest& request) override
    {
        RunOutput output;
        const auto child = launch(request, output);
        if (!child)
            co_return output;
        std::exception_ptr failure;
        try {
            co_await child->ended();
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {
            child->kill();
            std::rethrow_exception(failure);
        }
        const auto exit_code = child->exit_code();
        if (!exit_code)
            fail_lost();
        output.exit_code = *exit_code;
        output.out = child->take_output();
        output.err = child->take_error_output();
        co_return output;
    }

    Task<> transfer(const std::string& from, const std::string& to) override
    {
        const auto source = locate(from);
        const auto target = locate(to);
        const auto source_path = source.scheme == "container" ? path_of(source) : std::string();
        const auto target_path = target.scheme == "container" ? path_of(target) : std::string();
        if (!target_path.empty())
            prepare_target(target_path);
        if (!source_path.empty() && !target_path.empty()) {
            copy(source_path, target_path);
        } else if (!target_path.empty() && source.scheme == "gftp" && files_) {
            const fs::path path(target_path);
            auto fetching = fetch_file(*files_, source.target, path);
            co_await until_stopped(std::move(fetching));
        } else if (!target_path.empty()) {
            if (!premises_->options.fetch)
                fail("transfer", no_way(source.scheme));
            const fs::path path(target_path);
            co_await premises_->options.fetch(source.target, path);
        } else if (!source_path.empty()) {
            check_readable(source_path);
            const fs::path path(source_path);
            if (target.scheme == "gftp" && files_) {
                auto sending = send_file(*files_, path, target.target);
                co_await until_stopped(std::move(sending));
            } else {
                if (!premises_->options.send)
                    fail("transfer", no_way(target.scheme));
                co_await premises_->options.send(path, target.target);
            }
        } else {
            fail("transfer", detail::transfer_error("this provider transfers from or to the container only"));
        }
        const auto& written = target_path.empty() ? source_path : target_path;
        std::error_code unknown;
        const auto size = fs::file_size(written, unknown);
        transferred_ = unknown ? std::nullopt : std::optional<std::uint64_t>(size);
        if (source.sha3) {
            const auto calculated = sha3_of(written, source.sha3->size() * 4);
            if (calculated != *source.sha3)
                fail("transfer", detail::hash_mismatch(calculated, *source.sha3));
        }
    }

    std::optional<std::uint64_t> transferred() const override { return transferred_; }

    void use_files(std::shared_ptr<RequestorFiles> files) override { files_ = std::move(files); }

    void stop() noexcept override
    {
        stopped_.set();
        for (const auto& child : children_)
            child->kill();
        if (directory_ && has_run_)
            kill_marked_processes(mark());
        for (const auto& child : children_)
            child->close_outputs();
    }

    void kill() noexcept override
    {
        if (std::exchange(killed_, true))
            return;
        stop();
        // The directory goes with the last of them.
        children_.clear();
        directory_.reset();
    }

    double cpu_seconds() const override
    {
        std::vector<pid_t> sessions;
        for (const auto& child : children_)
            if (child->is_running())
                sessions.push_back(child->pid());
        // What ran in the background of a command is lost with its leader: never count backwards.
        highest_cpu_ = std::max(highest_cpu_, *cpu_ + premises_->processor_times.of(sessions));
        return highest_cpu_;
    }

private:
    // Nobody waits for the network once the activity is to end.
    Task<> until_stopped(Task<> transfer)
    {
        stopped_.reset();
        auto stop = stopped_.wait();
        const auto first = co_await first_of(std::move(transfer), std::move(stop));
        if (first == 1)
            fail("transfer", detail::transfer_error("the transfer was stopped"));
    }

    std::string mark() const { return std::string(GuardedDirectory::variable) + "=" + directory_->path().string(); }

    static std::string no_way(const std::string& scheme)
    {
        return detail::transfer_error("this provider has no way to transfer over " + scheme);
    }

    // Null if it could not be started; `output` then says so as a shell would.
    std::shared_ptr<ChildProcess> launch(const RunRequest& request, RunOutput& output)
    {
        if (!directory_ || killed_)
            fail("run", "Runtime error: nothing is deployed");
        SpawnRequest spawn;
        const auto entry_point = detail::map_paths(mappings_, request.entry_point);
        spawn.arguments.push_back(entry_point);
        for (const auto& argument : request.args)
            spawn.arguments.push_back(detail::map_paths(mappings_, argument));
        spawn.directory = host("/golem/work");
        spawn.out = request.out;
        spawn.err = request.err;
        spawn.on_out = request.on_out;
        spawn.on_err = request.on_err;
        spawn.hold = request.hold;
        spawn.environment = {
            "PATH=" + premises_->options.path,
            "HOME=" + host("/golem/work"),
            "LANG=C.UTF-8",
            "TZ=UTC",
            "GOLEM_WORK=" + host("/golem/work"),
            "GOLEM_INPUT=" + host("/golem/input"),
            "GOLEM_OUTPUT=" + host("/golem/output"),
            "GOLEM_RESOURCE=" + host("/golem/resource"),
            mark()};
        for (const auto& [name, value] : premises_->options.environment)
            spawn.environment.push_back(name + "=" + value);
        spawn.file = find(entry_point);
        int error = spawn.file.empty() ? ENOENT : 0;
        std::erase_if(children_, [](const auto& child) { return !child->is_running() && child.use_count() == 1; });
        if (error == 0) {
            try {
                auto add = [cpu = cpu_](double seconds) { *cpu += seconds; };
                children_.push_back(ChildProcess::spawn(executor_, spawn, directory_, std::move(add)));
                has_run_ = true;
                return children_.back();
            } catch (const std::system_error& failure) {
                error = failure.code().value();
            }
        }
        if (error == ESRCH)
            fail_lost();
        output.exit_code = error == ENOENT ? 127 : 126;
        output.err = "sh: 1: exec: " + request.entry_point + ": " +
                     (error == ENOENT ? std::string("not found") : std::string(std::strerror(error))) + "\n";
        return nullptr;
    }

    // An entry point without a slash is looked for in PATH.
    std::string find(const std::string& entry_point) const
    {
        if (entry_point.find('/') != std::string::npos)
            return entry_point;
        std::size_t begin = 0;
        while (!entry_point.empty() && begin <= premises_->options.path.size()) {
            const auto end = std::min(premises_->options.path.find(':', begin), premises_->options.path.size());
            auto candidate = premises_->options.path.substr(begin, end - begin) + "/" + entry_point;
            if (::access(candidate.c_str(), X_OK) == 0)
                return candidate;
            begin = end + 1;
        }
        return {};
    }

    std::string host(std::string_view path) const { return detail::host_path(mappings_, path).value_or(""); }

    static detail::Location locate(const std::string& text)
    {
        auto [location, problem] = detail::parse_location(text);
        if (!location)
            fail("transfer", problem);
        return *std::move(location);
    }

    std::string path_of(const detail::Location& location) const
    {
        auto path = detail::host_path(mappings_, location.target);
        if (!path)
            fail("transfer", detail::not_in_container(location.target));
        return *std::move(path);
    }

    static void prepare_target(const std::string& path)
    {
        std::error_code error;
        if (path.back() == '/' || fs::is_directory(path, error))
            fail_transfer(EISDIR);
        fs::create_directories(fs::path(path).parent_path(), error);
        if (error)
            fail_transfer(error.value());
    }

    static void check_readable(const std::string& path)
    {
        std::error_code error;
        if (fs::is_directory(path, error))
            fail_transfer(EISDIR);
        if (::access(path.c_str(), R_OK) != 0)
            fail_transfer(errno);
    }

    static void copy(const std::string& from, const std::string& to)
    {
        check_readable(from);
        std::error_code error;
        if (fs::equivalent(from, to, error))
            return;
        error.clear();
        fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
        if (error)
            fail_transfer(error.value());
    }

    Executor executor_;
    std::shared_ptr<Premises> premises_;
    std::shared_ptr<PrivateDirectory> directory_;
    std::vector<detail::Mapping> mappings_;
    std::vector<std::shared_ptr<ChildProcess>> children_;
    // Of those that have ended.
    std::shared_ptr<double> cpu_;
    mutable double highest_cpu_ = 0.0;
    std::optional<std::uint64_t> transferred_;
    std::shared_ptr<RequestorFiles> files_;
    Event stopped_;
    bool has_run_ = false;
    bool killed_ = false;
};

class ProcessRuntimeFactory final : public RuntimeFactory {
public:
    ProcessRuntimeFactory(const Executor& executor, TimeSource& time, ProcessRuntimeOptions options)
        : executor_(executor), premises_(std::make_shared<Premises>(time, std::move(options)))
    {
    }

    std::unique_ptr<Runtime> make(const std::string&) override
    {
        return std::make_unique<ProcessRuntime>(executor_, premises_);
    }

private:
    Executor executor_;
    std::shared_ptr<Premises> premises_;
};

} // namespace

std::shared_ptr<RuntimeFactory>
make_process_runtime(const Executor& executor, TimeSource& time, ProcessRuntimeOptions options)
{
    constexpr auto operation = "make a process runtime";
    if (time.is_virtual())
        throw Error(
            Errc::invalid_input, operation,
            "processes take real time and the time source is virtual; use a scripted runtime in simulations");
    std::error_code error;
    if (!fs::is_directory(options.root, error))
        throw Error(Errc::invalid_input, operation, "root is not a directory: " + options.root.string());
    return std::make_shared<ProcessRuntimeFactory>(executor, time, std::move(options));
}

} // namespace golem::provider
