#include <golem/provider/detail/location.hpp>
#include <golem/provider/process_runtime.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const auto image = std::optional<std::string>(
    "hash:sha3:f35d421018083ba62e39bd4c5c46b025d5468c01dd33049d5d6477dd:http://host/img.gvmi");

// A root of its own for each test, so that what is left behind shows.
class Root {
public:
    Root()
    {
        auto name = (fs::temp_directory_path() / "golem-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path_ = name;
    }
    ~Root() { fs::remove_all(path_); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    const fs::path& path() const { return path_; }
    bool is_empty() const { return fs::is_empty(path_); }

private:
    fs::path path_;
};

std::size_t open_descriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

bool has_children()
{
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// A deployed runtime in real time; afterwards nothing of it may be left.
void with_runtime(
    const std::function<Task<>(Runtime&, TimeSource&)>& body, ProcessRuntimeOptions options = ProcessRuntimeOptions())
{
    const Root root;
    options.root = root.path();
    const auto descriptors = open_descriptors();
    RealTime time;
    test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto factory = make_process_runtime(executor, time, options);
        const auto runtime = factory->make("a");
        DeployRequest request;
        request.image = image;
        request.volumes = std::vector<std::string>(1, "/data");
        co_await runtime->deploy(request);
        co_await body(*runtime, time);
        runtime->kill();
    });
    CHECK(root.is_empty());
    CHECK(open_descriptors() == descriptors);
    CHECK(!has_children());
}

Task<RunOutput> shell(Runtime& runtime, std::string script)
{
    RunRequest request;
    request.entry_point = "/bin/sh";
    request.args.push_back("-c");
    request.args.push_back(std::move(script));
    auto output = co_await runtime.run(request);
    co_return output;
}

Task<std::string> transfer_problem(Runtime& runtime, std::string from, std::string to)
{
    std::string problem;
    try {
        co_await runtime.transfer(from, to);
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::command_failed);
        problem = error.their_words();
    }
    co_return problem;
}

} // namespace

TEST_CASE("which images can be deployed")
{
    struct Row {
        std::optional<std::string> image;
        std::string problem;
    };
    const std::string prefix = "Local service error: Transfer error: ";
    const auto rows = std::vector<Row>{
        {image, ""},
        {std::nullopt, "task package (image) path was not provided"},
        {"http://host/img.gvmi", prefix + "Invalid url: Missing hash"},
        {"garbage", prefix + "Invalid url: Missing hash"},
        {"hash:sha3:abcd:http://host/x", prefix + "Unsupported digest: Unsupported digest sha3 of length 16: abcd"},
        {"hash:sha3:" + std::string(56, '0') + ":ftp://host/x", prefix + "Unsupported scheme: ftp"},
    };
    for (const auto& row : rows)
        CHECK(provider::detail::image_problem(row.image).value_or("") == row.problem);
}

TEST_CASE("paths of the machine are found in what a command says")
{
    const auto volumes =
        std::vector<provider::detail::Mapping>{{"/golem/work", "/H/w"}, {"/golem/work/deep", "/D"}, {"/data", "/H/d"}};
    struct Row {
        std::string text;
        std::string mapped;
    };
    const auto rows = std::vector<Row>{
        {"/golem/work", "/H/w"},
        {"/golem/work/", "/H/w/"},
        {"/golem/work/a.txt", "/H/w/a.txt"},
        {"/golem/work/deep/a", "/D/a"},
        {"/golem/workshop", "/golem/workshop"},
        {"/golem/work.old", "/golem/work.old"},
        {"cat /golem/work/a '/data/b'>/data/c;ls /golem/work", "cat /H/w/a '/H/d/b'>/H/d/c;ls /H/w"},
        {"--file=/data/x", "--file=/H/d/x"},
        {"http://host/data/x", "http://host/data/x"},
        {"/mnt/data", "/mnt/data"},
        {"", ""},
        {"/", "/"},
        {"/dat", "/dat"},
    };
    for (const auto& row : rows)
        CHECK(provider::detail::map_paths(volumes, row.text) == row.mapped);
    CHECK(provider::detail::host_path(volumes, "/golem/work/deep/x") == "/D/x");
    CHECK(!provider::detail::host_path(volumes, "/etc/x"));
    CHECK(provider::detail::normalised("/golem/work/../../../../etc/hostname") == "/etc/hostname");
    CHECK(provider::detail::normalised("a.txt") == "a.txt");
}

TEST_CASE("the process runtime refuses virtual time and a root that is none")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        CHECK_THROWS_AS(make_process_runtime(executor, time, ProcessRuntimeOptions()), Error);
        RealTime real;
        ProcessRuntimeOptions options;
        options.root = "/does/not/exist";
        CHECK_THROWS_AS(make_process_runtime(executor, real, options), Error);
    });
}

TEST_CASE("commands really run, in a directory and environment of their own", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource&) -> Task<> {
        const auto hello = co_await shell(runtime, "echo out; echo err >&2; exit 3");
        CHECK(hello.exit_code == 3);
        CHECK(hello.out == "out\n");
        CHECK(hello.err == "err\n");
        const auto where =
            co_await shell(runtime, "pwd; echo $GOLEM_WORK; echo $HOME; cat; ls -A; umask; env | grep -c -i secret");
        const auto line = where.out.substr(0, where.out.find('\n') + 1);
        CHECK(where.out.rfind(line + line + line, 0) == 0);
        CHECK(line.find("/golem/work\n") != std::string::npos);
        co_await shell(runtime, "echo 1 > /golem/work/a; echo 2 > /data/b; chmod 0 /golem/output");
        const auto files = co_await shell(
            runtime, "cat a $GOLEM_WORK/../../data/b; readlink /proc/self/fd/0; ls /proc/self/fd | wc -w");
        // 0, 1, 2 and the directory that ls reads.
        CHECK(files.out == "1\n2\n/dev/null\n4\n");
        const auto killed = co_await shell(runtime, "kill -9 $$");
        CHECK(killed.exit_code == 137);
        RunRequest missing;
        missing.entry_point = "/no/such";
        const auto none = co_await runtime.run(missing);
        CHECK(none.exit_code == 127);
        CHECK(none.err == "sh: 1: exec: /no/such: not found\n");
        missing.entry_point = "/etc/passwd";
        const auto forbidden = co_await runtime.run(missing);
        CHECK(forbidden.exit_code == 126);
        CHECK(forbidden.err == "sh: 1: exec: /etc/passwd: Permission denied\n");
        missing.entry_point = "date";
        const auto date = co_await runtime.run(missing);
        CHECK(date.exit_code == 0);
        CHECK(date.out.find("UTC") != std::string::npos);
        missing.entry_point = "nosuchprogram";
        const auto unknown = co_await runtime.run(missing);
        CHECK(unknown.exit_code == 127);
    });
}

TEST_CASE("output is told while the command still runs", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource&) -> Task<> {
        RunRequest request;
        request.entry_point = "/bin/sh";
        request.args = std::vector<std::string>(1, "-c");
        // Goes on only once somebody has read the first line.
        request.args.push_back("echo one; while [ ! -e seen ]; do sleep 0.02; done; echo two; echo three >&2");
        std::string out;
        std::string err;
        RunRequest where;
        where.entry_point = "/bin/pwd";
        auto here = co_await runtime.run(where);
        here.out.pop_back();
        request.on_out = [&](std::string_view piece) {
            if (out.empty())
                std::ofstream(here.out + "/seen").put('x');
            out += piece;
        };
        request.on_err = [&](std::string_view piece) { err += piece; };
        const auto output = co_await runtime.run(request);
        CHECK(out == "one\ntwo\n");
        CHECK(err == "three\n");
        CHECK(output.out == out);
        CHECK(output.exit_code == 0);
    });
}

TEST_CASE("a flood of output is cut and never blocks the command", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource&) -> Task<> {
        RunRequest request;
        request.entry_point = "/bin/sh";
        request.args.push_back("-c");
        request.args.push_back("head -c 30000000 /dev/zero; echo end >&2");
        request.out.head = 1000;
        const auto cut = co_await runtime.run(request);
        CHECK(cut.out.size() == 1000);
        CHECK(cut.err == "end\n");
        request.out.head = 100'000'000;
        const auto whole = co_await runtime.run(request);
        CHECK(whole.out.size() == 30'000'000);
        request.args.back() = "echo begin; head -c 6000000 /dev/zero; echo end";
        request.out = OutputPart{3, 4};
        const auto ends = co_await runtime.run(request);
        CHECK(ends.out == "begend\n");
    });
}

TEST_CASE("where SIGCHLD is ignored commands fail", "[process]")
{
    const auto before = ::signal(SIGCHLD, SIG_IGN);
    std::vector<std::string> told;
    with_runtime([&](Runtime& runtime, TimeSource&) -> Task<> {
        // The second may be gone before anybody can look at it.
        for (const auto* script : {"sleep 0.1", "true"}) {
            try {
                const auto output = co_await shell(runtime, script);
                told.push_back("exit code " + std::to_string(output.exit_code));
            } catch (const Error& error) {
                told.push_back(error.their_words());
            }
        }
    });
    ::signal(SIGCHLD, before);
    REQUIRE(told.size() == 2);
    CHECK_THAT(told[0], golem::test::contains_text("ignores SIGCHLD"));
    CHECK_THAT(told[1], golem::test::contains_text("ignores SIGCHLD"));
}

TEST_CASE("nothing survives the sudden death of the provider's program", "[process]")
{
    const Root root;
    const Root notes;
    const auto program = ::fork();
    REQUIRE(program >= 0);
    if (program == 0) {
        // Only commands run from here on, until it kills itself: nothing of this test may be cleaned up twice.
        RealTime time;
        try {
            test::run_real([&]() -> Task<> {
                const auto executor = co_await boost::asio::this_coro::executor;
                ProcessRuntimeOptions options;
                options.root = root.path();
                options.environment["NOTES"] = notes.path().string();
                const auto factory = make_process_runtime(executor, time, options);
                const auto runtime = factory->make("a");
                DeployRequest request;
                request.image = image;
                co_await runtime->deploy(request);
                co_await shell(
                    *runtime, "setsid sleep 1000 >&- 2>&- & echo $! > $NOTES/a; sleep 1000 & echo $! > $NOTES/b; "
                              "mkdir sub; touch sub/x; chmod 0 sub");
                ::kill(::getpid(), SIGKILL);
            });
        } catch (...) {
        }
        ::_exit(1);
    }
    int status = 0;
    REQUIRE(::waitpid(program, &status, 0) == program);
    REQUIRE(WIFSIGNALED(status));
    const auto is_alive = [&](const char* note) {
        pid_t pid = 0;
        std::ifstream(notes.path() / note) >> pid;
        REQUIRE(pid > 0);
        // Of a process that ended and was not waited for there is no environment.
        std::ifstream environment("/proc/" + std::to_string(pid) + "/environ");
        return environment.peek() != std::ifstream::traits_type::eof();
    };
    RealTime time;
    test::run_real([&]() -> Task<> {
        const auto limit = time.deadline(20s);
        while (time.now() < limit && (is_alive("a") || is_alive("b") || !root.is_empty()))
            co_await time.sleep_for(10ms, "the guard");
    });
    CHECK(!is_alive("a"));
    CHECK(!is_alive("b"));
    CHECK(root.is_empty());
}

TEST_CASE("kill ends a command with all its children, and tells what was put out", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto before = time.now();
        RunOutput output;
        TaskGroup group(executor);
        group.spawn("run", [&]() -> Task<> {
            output = co_await shell(runtime, "echo begin; sleep 1000 & setsid sleep 1000 & echo > begun; sleep 1000");
        });
        co_await shell(runtime, "until [ -e begun ]; do sleep 0.01; done");
        runtime.kill();
        co_await group.join();
        CHECK(output.exit_code == 137);
        CHECK(output.out == "begin\n");
        CHECK(time.now() - before < 5s);
        CHECK_THROWS_AS(co_await shell(runtime, "true"), Error);
    });
}

TEST_CASE("what a command leaves in the background goes on until the end", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource& time) -> Task<> {
        const auto before = time.now();
        const auto started =
            co_await shell(runtime, "(sleep 0.2; echo late; echo done > /golem/work/done; sleep 1000) & echo started");
        CHECK(started.out == "started\n");
        CHECK(time.now() - before < 10s);
        const auto done = co_await shell(runtime, "until [ -e done ]; do sleep 0.01; done; cat done");
        CHECK(done.out == "done\n");
    });
}

TEST_CASE("cancelling a run kills it", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource& time) -> Task<> {
        auto run = shell(runtime, "sleep 1000");
        const auto output = co_await with_timeout(time, 100ms, std::move(run), "test");
        CHECK(!output);
    });
}

TEST_CASE("stop keeps the files for another deploy", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource&) -> Task<> {
        co_await shell(runtime, "echo kept > /golem/work/a");
        runtime.stop();
        DeployRequest request;
        request.image = image;
        co_await runtime.deploy(request);
        const auto kept = co_await shell(runtime, "cat a");
        CHECK(kept.out == "kept\n");
    });
}

TEST_CASE("fifty commands at once", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource&) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        int good = 0;
        for (int i = 0; i < 50; ++i) {
            group.spawn("run", [&runtime, &good, i]() -> Task<> {
                const auto number = std::to_string(i);
                const auto output = co_await shell(runtime, "echo " + number + "; sleep 0.1; echo " + number + " >&2");
                if (output.exit_code == 0 && output.out == number + "\n" && output.err == number + "\n")
                    ++good;
            });
        }
        co_await group.join();
        CHECK(good == 50);
    });
}

TEST_CASE("processor time is counted while a command runs and afterwards", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        CHECK(runtime.cpu_seconds() == 0.0);
        TaskGroup group(executor);
        group.spawn("run", [&]() -> Task<> { co_await shell(runtime, "timeout 0.5 sh -c 'while :; do :; done'"); });
        co_await time.sleep_for(300ms, "work");
        const auto running = runtime.cpu_seconds();
        co_await group.join();
        CHECK(running > 0.0);
        CHECK(runtime.cpu_seconds() > 0.1);
        CHECK(runtime.cpu_seconds() >= running);
    });
}

TEST_CASE("transfers stay within the volumes and tell the real exe-unit's texts", "[process]")
{
    with_runtime([](Runtime& runtime, TimeSource&) -> Task<> {
        const std::string prefix = "Local service error: Transfer error: ";
        co_await shell(runtime, "printf 'hello\\n' > a.txt; mkdir dir");
        struct Row {
            std::string from;
            std::string to;
            std::string problem;
        };
        const auto rows = std::vector<Row>{
            {"/golem/work/a.txt", "/golem/output/b.txt", ""},
            {"container:/golem/work/a.txt", "container:/golem/work/sub/dir/a.txt", ""},
            {"container:/golem/work/a.txt", "container:/golem/work/a.txt", ""},
            {"container:/golem/work/a.txt", "container:/data/x", ""},
            {"hash:sha3:b314e28493eae9dab57ac4f0c6d887bddbbeb810e900d818395ace558e96516d:container:/golem/work/a.txt",
             "/data/y", ""},
            {"hash:sha3:" + std::string(64, '0') + ":container:/golem/work/a.txt", "/data/y",
             prefix +
                 "Incorrect hash provided or downloaded image is corrupted: calculated hash "
                 "b314e28493eae9dab57ac4f0c6d887bddbbeb810e900d818395ace558e96516d differs from the expected one " +
                 std::string(64, '0')},
            {"ftp://127.0.0.1/x", "container:/golem/work/x", prefix + "Unsupported scheme: ftp"},
            {"file:///etc/passwd", "container:/golem/work/x", prefix + "Unsupported scheme: file"},
            {"container:/golem/work/a.txt", "container:/etc/x",
             prefix + "IO error: path not found in container: /etc/x"},
            {"container:/golem/work/none", "container:/golem/work/x",
             prefix + "IO error: No such file or directory (os error 2)"},
            {"http//x", "container:/golem/work/x", prefix + "IO error: path not found in container: http//x"},
            {"container:a.txt", "container:/golem/work/x", prefix + "IO error: path not found in container: a.txt"},
            {"container:/golem/work/../../../../etc/hostname", "container:/golem/work/x",
             prefix + "IO error: path not found in container: /etc/hostname"},
            {"container:/golem/work/a.txt", "container:/golem/work/",
             prefix + "IO error: Is a directory (os error 21)"},
            {"container:/golem/work/a.txt", "container:/golem/work/dir",
             prefix + "IO error: Is a directory (os error 21)"},
            {"http://host/a", "container:/golem/work/x", prefix + "this provider has no way to transfer over http"},
            {"container:/golem/work/a.txt", "gftp://0x00/a", prefix + "this provider has no way to transfer over gftp"},
        };
        for (const auto& row : rows) {
            INFO(row.from << " to " << row.to);
            const auto problem = co_await transfer_problem(runtime, row.from, row.to);
            CHECK(problem == row.problem);
        }
        const auto files = co_await shell(runtime, "cat /golem/output/b.txt sub/dir/a.txt /data/x a.txt");
        CHECK(files.out == "hello\nhello\nhello\nhello\n");
    });
}

TEST_CASE("files come from and go to URLs through the given functions", "[process]")
{
    ProcessRuntimeOptions options;
    std::string sent;
    options.fetch = [](const std::string& url, const fs::path& path) -> Task<> {
        std::ofstream(path) << "from " << url;
        co_return;
    };
    options.send = [&sent](const fs::path& path, const std::string& url) -> Task<> {
        std::ifstream file(path);
        std::getline(file, sent);
        sent += " to " + url;
        co_return;
    };
    with_runtime(
        [](Runtime& runtime, TimeSource&) -> Task<> {
            co_await runtime.transfer("http://host/a", "container:/golem/work/a");
            co_await runtime.transfer("container:/golem/work/a", "gftp://b");
        },
        options);
    CHECK(sent == "from http://host/a to gftp://b");
}
