#include <golem/work/script.hpp>

#include <golem/work/detail/command_outcome.hpp>

#include <tests/support/catch.hpp>

using namespace golem;

TEST_CASE("a script is written as the daemon wants it")
{
    Script script;
    script.deploy()
        .start({"--fast"})
        .run({"/bin/sh", "-c", "echo \"hi\""})
        .transfer("http://a/b", "container:/c")
        .terminate();
    CHECK(script.size() == 5);
    CHECK(
        script.to_json() == R"([{"deploy":{}},{"start":{"args":["--fast"]}},)"
                            R"({"run":{"entry_point":"/bin/sh","args":["-c","echo \"hi\""],)"
                            R"("capture":{"stdout":{"atEnd":{"format":"str"}},"stderr":{"atEnd":{"format":"str"}}}}},)"
                            R"({"transfer":{"from":"http://a/b","to":"container:/c"}},{"terminate":{}}])");
    CHECK(script.describe(0) == "deploy");
    CHECK(script.describe(2) == "run /bin/sh");
    CHECK(script.describe(3) == "transfer to container:/c");
    CHECK(script.describe(5) == "command 5");
    CHECK(script.describe(-1) == "command -1");
}

TEST_CASE("arguments are lists even when there are none")
{
    Script script;
    CHECK(script.is_empty());
    CHECK(script.to_json() == "[]");
    script.start().run({"/bin/date"});
    CHECK(
        script.to_json() ==
        R"([{"start":{"args":[]}},{"run":{"entry_point":"/bin/date","args":[],)"
        R"("capture":{"stdout":{"atEnd":{"format":"str"}},"stderr":{"atEnd":{"format":"str"}}}}}])");
}

TEST_CASE("commands that cannot be sent are refused when they are made")
{
    const auto code_of = [](auto&& make) {
        try {
            make();
        } catch (const Error& error) {
            return error.errc();
        }
        return Errc::internal;
    };
    CHECK(code_of([] { Script().run({}); }) == Errc::invalid_input);
    CHECK(code_of([] { Script().run({""}); }) == Errc::invalid_input);
    CHECK(code_of([] { Script().run({"/bin/echo", "\xff\xfe"}); }) == Errc::invalid_input);
    CHECK(code_of([] { Script().start({"\xc3"}); }) == Errc::invalid_input);
    CHECK(code_of([] { Script().transfer("\x80", "container:/x"); }) == Errc::invalid_input);
}

TEST_CASE("exit codes are read from the exe-unit's message")
{
    CHECK(detail::exit_code_in("ExeScript command exited with code 127") == 127);
    CHECK(detail::exit_code_in("ExeScript command exited with code 0") == 0);
    CHECK(detail::exit_code_in("ExeScript command exited with code -1") == -1);
    CHECK(!detail::exit_code_in("ExeScript command exited with code "));
    CHECK(!detail::exit_code_in("ExeScript command exited with code x"));
    CHECK(!detail::exit_code_in("ExeScript command exited with code 99999999999999999999"));
    CHECK(!detail::exit_code_in("Local service error: State error: Busy: StatePair(Ready, Some(Ready))"));
    CHECK(!detail::exit_code_in(""));
}

TEST_CASE("a command that ended with its activity is told from one that failed")
{
    CHECK(detail::tells_end_of_activity("Local service error: State error: Unexpected state: StatePair(Terminated, "
                                        "None), expected StatePair(Ready, Some(Ready))"));
    CHECK(!detail::tells_end_of_activity("Local service error: State error: Unexpected state: StatePair(Initialized, "
                                         "None), expected StatePair(Ready, Some(Ready))"));
    CHECK(!detail::tells_end_of_activity("Local service error: State error: Busy: StatePair(Ready, Some(Ready))"));
}

TEST_CASE("a command's error says what is known of it")
{
    CommandResult result;
    result.index = 1;
    result.out = "half";
    result.err = "warning\nsh: nope: not found\n\n";
    result.message = "ExeScript command exited with code 127";
    const CommandError error("run /bin/sh", result);
    CHECK(error.errc() == Errc::command_failed);
    CHECK(error.index() == 1);
    CHECK(error.exit_code() == 127);
    CHECK(error.out() == "half");
    CHECK(error.command() == "run /bin/sh");
    CHECK(error.their_words() == "ExeScript command exited with code 127");
    CHECK(error.explanation() == "\"run /bin/sh\" failed with exit code 127: sh: nope: not found");

    CommandResult refused;
    refused.message = "Local service error: State error: Busy: StatePair(Ready, Some(Ready))";
    const CommandError other("run /bin/date", refused);
    CHECK(other.exit_code() == -1);
    CHECK(other.explanation() == "\"run /bin/date\" failed");

    CommandResult long_one;
    long_one.err = std::string(1000, 'x');
    CHECK(CommandError("c", long_one).explanation().size() < 250);
}
