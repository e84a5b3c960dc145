#include <golem/provider/program_runtime.hpp>

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

using namespace golem;
using namespace golem::provider;
namespace fs = std::filesystem;

namespace {

// A folder with a program of this text in it.
class Program {
public:
    explicit Program(const std::string& text)
    {
        auto name = (fs::temp_directory_path() / "golem-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        folder_ = name;
        std::ofstream(path()) << "#!/bin/sh\n" << text;
        fs::permissions(path(), fs::perms::owner_all);
        fs::create_directory(folder_ / "root");
    }
    ~Program() { fs::remove_all(folder_); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    std::string path() const { return (folder_ / "program").string(); }
    fs::path root() const { return folder_ / "root"; }

private:
    fs::path folder_;
};

void with_runtime(const Program& program, const std::function<Task<>(Runtime&)>& body)
{
    ProcessRuntimeOptions options;
    options.root = program.root();
    RealTime time;
    test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto factory = make_program_runtime(executor, time, program.path(), options);
        const auto runtime = factory->make("a");
        const DeployRequest request;
        co_await runtime->deploy(request);
        co_await body(*runtime);
        runtime->kill();
    });
    CHECK(fs::is_empty(program.root()));
}

} // namespace

TEST_CASE("a program stands for a runtime: it is started with arguments and asked by commands", "[process]")
{
    const Program program(
        "[ \"$1\" = start ] && echo \"$2\" > network; echo \"$# $1 $2\"; [ \"$1\" != STATUS ] || cat network\n");
    with_runtime(program, [](Runtime& runtime) -> Task<> {
        const std::vector<std::string> args(1, R"({"network": "goerli"})");
        const auto started = co_await runtime.start(args);
        CHECK(started == "2 start {\"network\": \"goerli\"}\n");
        RunRequest status;
        status.entry_point = "STATUS";
        const auto told = co_await runtime.run(status);
        CHECK(told.exit_code == 0);
        CHECK(told.out == "1 STATUS \n{\"network\": \"goerli\"}\n");
    });
}

TEST_CASE("a program that fails to start says why, or at least how it ended", "[process]")
{
    for (const auto& [script, words] : std::vector<std::pair<std::string, std::string>>{
             {"echo no such network >&2; exit 3\n", "Runtime error: no such network"},
             {"exit 3\n", "Runtime error: start ended with exit code 3"}}) {
        const Program program(script);
        std::string problem;
        with_runtime(program, [&](Runtime& runtime) -> Task<> {
            const std::vector<std::string> none;
            try {
                co_await runtime.start(none);
            } catch (const Error& error) {
                problem = error.their_words();
            }
        });
        CHECK(problem == words);
    }
}

TEST_CASE("what start leaves in the background ends with the activity", "[process]")
{
    const Program program("[ \"$1\" = start ] && { sleep 1000 & echo $!; }\n");
    std::string pid;
    with_runtime(program, [&](Runtime& runtime) -> Task<> {
        const std::vector<std::string> none;
        pid = co_await runtime.start(none);
        pid.pop_back();
        CHECK(fs::exists("/proc/" + pid));
    });
    std::ifstream state("/proc/" + pid + "/stat");
    std::string number, name, letter;
    state >> number >> name >> letter;
    CHECK((letter.empty() || letter == "Z"));
}

TEST_CASE("a program that cannot be executed is refused")
{
    RealTime time;
    boost::asio::io_context context;
    for (const std::string path : {"", "/etc/passwd", "/tmp", "/no/such/program"})
        CHECK_THROWS_AS(
            make_program_runtime(context.get_executor(), time, path, ProcessRuntimeOptions()), golem::Error);
}
