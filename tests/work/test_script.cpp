#include <golem/core/random.hpp>
#include <golem/work/script.hpp>

#include <golem/work/detail/command_outcome.hpp>
#include <golem/work/detail/cost.hpp>
#include <golem/work/detail/output_tracker.hpp>

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
    CHECK(std::string(error.what()) == "run /bin/sh: exit code 127: sh: nope: not found");

    CommandResult refused;
    refused.message = "Local service error: State error: Busy: StatePair(Ready, Some(Ready))";
    const CommandError other("run /bin/date", refused);
    CHECK(other.exit_code() == -1);
    CHECK(std::string(other.what()).starts_with("run /bin/date: the command failed"));
    CHECK(std::string(other.what()).find("State error: Busy") != std::string::npos);

    CommandResult long_one;
    long_one.err = std::string(1000, 'x');
    CHECK(CommandError("c", long_one).explanation().size() < 250);
}

TEST_CASE("every command of the exe-unit, and what it gets, is written")
{
    struct Row {
        Script script;
        std::string json;
    };
    const auto run_with = [](const RunOptions& options) { return Script().run({"/p", "a"}, options); };
    RunOptions quiet;
    quiet.out = quiet.err = Capture::none();
    RunOptions parts;
    parts.out = Capture::head(10);
    parts.err = Capture::tail(20).as_bytes();
    RunOptions ends;
    ends.out = Capture::ends(30);
    ends.err = Capture::none();
    RunOptions streams;
    streams.out = Capture::stream();
    streams.err = Capture::stream(40).as_text();
    RunOptions placed;
    placed.out = placed.err = Capture::none();
    placed.directory = "/golem/it's";
    placed.environment = {{"A", "1 2"}, {"B", "$x"}};
    DeployOptions deploy;
    DeployNetwork network;
    network.id = "n1";
    network.address = "192.168.0.0/24";
    network.gateway = "192.168.0.1";
    network.node_address = "192.168.0.3";
    network.nodes = {{"192.168.0.1", "0xa"}};
    deploy.networks.push_back(network);
    deploy.hosts = {{"db", "192.168.0.7"}};
    deploy.hostname = "worker";
    deploy.environment = {{"K", "V"}};
    deploy.progress = std::chrono::milliseconds(300);
    DeployOptions plain;
    plain.volumes = {DeployVolume{"/data"}, DeployVolume{"/more"}};
    DeployOptions kinds;
    kinds.volumes = {
        DeployVolume{"/data"}, DeployVolume{"/h", DeployVolume::Kind::host, ""},
        DeployVolume{"/r", DeployVolume::Kind::ram, "256MiB"},
        DeployVolume{"/s", DeployVolume::Kind::storage, "10GiB"}};
    TransferOptions tree;
    tree.format = "tar.gz";
    tree.depth = 2;
    tree.include = {"*.txt"};
    tree.exclude = {"b.txt"};
    tree.progress = std::chrono::seconds(2);

    const std::vector<Row> rows = {
        {Script().deploy(), R"({"deploy":{}})"},
        {Script().deploy(deploy),
         R"({"deploy":{"net":[{"id":"n1","ip":"192.168.0.0/24","gateway":"192.168.0.1","nodeIp":"192.168.0.3",)"
         R"("nodes":{"192.168.0.1":"0xa"}}],"hosts":{"db":"192.168.0.7"},"hostname":"worker","env":{"K":"V"},)"
         R"("progress":{"updateInterval":"300ms"}}})"},
        {Script().deploy(plain), R"({"deploy":{"volumes":["/data","/more"]}})"},
        {Script().deploy(kinds),
         R"({"deploy":{"volumes":{"/data":{"host":{}},"/h":{"host":{}},"/r":{"ram":{"size":"256MiB"}},)"
         R"("/s":{"storage":{"size":"10GiB"}}}}})"},
        {Script().start({"a", "b"}), R"({"start":{"args":["a","b"]}})"},
        {run_with(quiet), R"({"run":{"entry_point":"/p","args":["a"]}})"},
        {run_with(parts),
         R"({"run":{"entry_point":"/p","args":["a"],"capture":{"stdout":{"atEnd":{"head":10,"format":"str"}},)"
         R"("stderr":{"atEnd":{"tail":20,"format":"bin"}}}}})"},
        {run_with(ends),
         R"({"run":{"entry_point":"/p","args":["a"],"capture":{"stdout":{"atEnd":{"headTail":30,"format":"str"}}}}})"},
        {run_with(streams),
         R"({"run":{"entry_point":"/p","args":["a"],"capture":{"stdout":{"stream":{"format":"bin"}},)"
         R"("stderr":{"stream":{"limit":40,"format":"str"}}}}})"},
        {run_with(placed), R"({"run":{"entry_point":"/bin/sh","args":["-c","cd -- '/golem/it'\\''s' || exit 126; )"
                           R"(export A='1 2'; export B='$x'; exec \"$0\" \"$@\"","/p","a"]}})"},
        {Script().shell("ls | wc", quiet), R"({"run":{"entry_point":"/bin/sh","args":["-c","ls | wc"]}})"},
        {Script().transfer("http://a", "container:/b"), R"({"transfer":{"from":"http://a","to":"container:/b"}})"},
        {Script().transfer("container:/d", "http://a", tree),
         R"({"transfer":{"from":"container:/d","to":"http://a","format":"tar.gz","depth":2,)"
         R"("fileset":[{"includes":["*.txt"],"excludes":["b.txt"]}],"progress":{"updateInterval":"2000ms"}}})"},
        {Script().sign(), R"({"sign":{}})"},
        {Script().terminate(), R"({"terminate":{}})"},
    };
    for (const auto& row : rows)
        CHECK(row.script.to_json() == "[" + row.json + "]");
}

TEST_CASE("options that cannot be are refused")
{
    const auto is_refused = [](auto&& make) {
        try {
            make();
        } catch (const Error& error) {
            return error.errc() == Errc::invalid_input;
        }
        return false;
    };
    RunOptions run;
    run.environment = {{"A-B", "x"}};
    CHECK(is_refused([&] { Script().run({"/p"}, run); }));
    DeployOptions deploy;
    deploy.progress = Duration(0);
    CHECK(is_refused([&] { Script().deploy(deploy); }));
    deploy.progress.reset();
    deploy.volumes = {DeployVolume{"data"}};
    CHECK(is_refused([&] { Script().deploy(deploy); }));
    deploy.volumes = {DeployVolume{"/data", DeployVolume::Kind::ram, ""}};
    CHECK(is_refused([&] { Script().deploy(deploy); }));
    deploy.volumes.clear();
    deploy.networks.emplace_back();
    CHECK(is_refused([&] { Script().deploy(deploy); }));
}

TEST_CASE("what a stream lost of an output is found in the whole of it")
{
    struct Row {
        std::vector<std::string> parts;
        std::string whole;
        std::vector<detail::MissingPiece> missing;
        bool is_exact = true;
    };
    const std::vector<Row> rows = {
        {{}, "", {}},
        {{}, "abc", {{"abc", false}}},
        {{"abc"}, "abc", {}},
        {{"ab"}, "abc", {{"c", false}}},
        {{"bc"}, "abc", {{"a", true}}},
        {{"a", "c"}, "abc", {{"b", true}}},
        {{"b", "d"}, "abcde", {{"a", true}, {"c", true}, {"e", false}}},
        {{"ab", "abc"}, "ababXXabc", {{"abXX", true}}},
        {{"tick\n"}, "tick\ntick\n", {{"tick\n", false}}},
        // What cannot be found is not told again.
        {{"no"}, "abc", {}, false},
        {{"a\xc3\x83", "\xc2\xbc\n"}, "a\xc3\xbc\n", {}, false},
        {{"b\xc3\x83"}, "ab\xc3\xbc", {{"a", true}}, false},
        // The whole was cut.
        {{"abcdef"}, "abcd", {}},
        {{"cdef"}, "abcd", {{"ab", true}}},
        {{"abcd", "ef"}, "abc", {}, false},
    };
    for (const auto& row : rows) {
        detail::OutputTracker tracker(100);
        for (const auto& part : row.parts) {
            for (const char letter : part)
                tracker.add(std::string(1, letter));
            tracker.break_off();
        }
        const auto missing = tracker.missing_of(row.whole);
        CHECK(missing.pieces == row.missing);
        CHECK(missing.is_exact == row.is_exact);
    }
    detail::OutputTracker tracker(3);
    tracker.add("abc");
    CHECK(!tracker.is_large());
    tracker.add("d");
    CHECK(tracker.is_large());
    CHECK(tracker.told() == 4);
}

TEST_CASE("a part of an output is found where the standard library finds it")
{
    Random random(1);
    const auto text = [&](std::size_t size) {
        std::string made;
        while (made.size() < size)
            made += static_cast<char>('a' + random.below(2)); // Two letters: much repeats.
        return made;
    };
    for (int round = 0; round < 2000; ++round) {
        const auto whole = text(random.below(40));
        const auto part = text(random.below(8));
        const auto from = random.below(whole.size() + 1);
        const auto found = detail::find_part(whole, part, from);
        CHECK((found.size == part.size() ? found.place : std::string::npos) == whole.find(part, from));
        auto most = part;
        while (!most.empty() && whole.find(most, from) == std::string::npos)
            most.pop_back();
        CHECK(found.size == most.size());
    }
    // What a provider can choose to make a naive search take minutes: a test without it would be seen to hang.
    const std::string whole(8u << 20, 'a');
    CHECK(detail::find_part(whole, std::string(1u << 20, 'a') + "b", 0).size == 1u << 20);
}

TEST_CASE("lines are cut where they end, or are too long")
{
    detail::LineCutter cutter(5);
    using Lines = std::vector<std::string>;
    CHECK(cutter.add("ab") == Lines{});
    CHECK(cutter.add("c\n\nd") == Lines{"abc\n", "\n"});
    CHECK(cutter.add("efghijklmn\n") == Lines{"defgh", "ijklm", "n\n"});
    CHECK(!cutter.finish());
    CHECK(cutter.add("x") == Lines{});
    CHECK(cutter.finish() == "x");
    CHECK(!cutter.finish());
}

TEST_CASE("costs are exact decimals")
{
    properties::Prices prices;
    prices.counters = {{"golem.usage.cpu_sec", 0.0002}, {"golem.usage.duration_sec", 0.0001}};
    prices.start = 0.001;
    const std::map<std::string, double> usage = {
        {"golem.usage.cpu_sec", 0.030904}, {"golem.usage.duration_sec", 4.00302128}};
    CHECK(detail::cost_of(prices, usage).to_string() == "0.001406482928");
    CHECK(detail::cost_of(prices, {}).to_string() == "0.001");
    CHECK(detail::cost_of(prices, {{"golem.usage.duration_sec", 1e7}}).to_string() == "1000.001");
    CHECK(detail::cost_of(prices, {{"unpriced", 5.0}}).to_string() == "0.001");
}
