// Activities and their ends.
#include <tests/scenes/deals.hpp>
#include <tests/scenes/scenes.hpp>

#include <golem/provider/script_unit.hpp>

namespace golem::test {

namespace {

Json script(const std::string& commands)
{
    Json json;
    json["text"] = commands;
    return json;
}

const std::string both = R"("capture":{"stdout":{"atEnd":{"format":"string"}},"stderr":{"atEnd":{"format":"string"}}})";

std::string run(const std::string& command, const std::string& argument)
{
    return R"({"run":{"entry_point":")" + command + R"(","args":[")" + argument + R"("],)" + both + "}}";
}

// Sends the script and reads its results with the query.
Task<std::string> perform(Stage& stage, const Running& running, std::string commands, std::string query)
{
    const auto body = script(commands);
    const auto batch = co_await stage.post(running.path() + "/exec", body);
    if (!query.empty())
        co_await stage.get(running.path() + "/exec/" + batch.text() + "?" + query);
    co_return batch.text();
}

Task<> look_at(Stage& stage, const Running& running, const std::string& batch)
{
    co_await stage.get(running.path() + "/state");
    co_await stage.get(running.path() + "/exec/" + batch + "?timeout=0.5");
    const auto body = script("[]");
    co_await stage.post(running.path() + "/exec", body);
    co_await stage.get(running.path() + "/agreement");
}

Task<> end_agreement(Stage& stage, Deal& deal)
{
    const auto body = reason("Finished");
    co_await stage.post(deal.agreement_path() + "/terminate", body);
    co_await forget(stage, deal);
}

Task<> detach(Stage& stage, const Running& running, std::string reason, std::string message)
{
    co_await running.unit->stop();
    auto detaching = stage.provider().detach(running.activity, reason, message);
    co_await stage.tell("detach", std::move(detaching));
}

} // namespace

Task<> scene_activity(Stage& stage)
{
    auto deal = new_deal(stage);
    co_await sign(stage, deal);
    Running running;
    co_await start(stage, deal, running);
    co_await stage.get(running.path() + "/state");
    co_await stage.get(running.path() + "/agreement");
    co_await stage.get(activities + "?agreementId=" + deal.agreement);
    co_await stage.get(running.path() + "/command");
    for (const std::string text :
         {"no json", R"([{"dance":{}}])", R"([{"run":{"args":[]}}])", R"({"deploy":{}})", R"(["deploy"])",
          R"([{"deploy":null}])", R"([{"run":{"entry_point":"/bin/x","args":null}}])", R"([{"transfer":{"from":"a"}}])",
          R"([17])", ""}) {
        const auto body = script(text);
        co_await stage.post(running.path() + "/exec", body);
    }
    co_await stage.get(running.path() + "/exec/" + no_activity + "?timeout=1");

    // In the wrong order, and in the right one.
    co_await perform(stage, running, "[" + run("/bin/echo", "early") + "]", "timeout=5");
    co_await perform(stage, running, R"([{"start":{}}])", "timeout=5");
    co_await perform(stage, running, "[]", "timeout=5");
    co_await perform(stage, running, R"([{"deploy":{}}])", "timeout=5");
    co_await stage.get(running.path() + "/state");
    co_await perform(stage, running, R"([{"deploy":{}}])", "timeout=5");
    co_await perform(stage, running, R"([{"start":{"args":[]}}])", "timeout=5");
    co_await stage.get(running.path() + "/state");
    co_await perform(stage, running, R"([{"start":{}}])", "timeout=5");

    // Results: whole, up to an index, in parts, of a failure.
    co_await perform(stage, running, "[" + run("/bin/echo", "hello") + "]", "timeout=5");
    co_await perform(stage, running, R"([{"run":{"entry_point":"/bin/echo","args":["unseen"]}}])", "timeout=5");
    const std::string bytes = R"("capture":{"stdout":{"atEnd":{"format":"bin"}},"stderr":{"atEnd":{"format":"bin"}}})";
    co_await perform(stage, running, R"([{"run":{"entry_point":"/bin/bytes","args":[],)" + bytes + "}}]", "timeout=5");
    co_await perform(stage, running, "[" + run("/bin/bytes", "") + "]", "timeout=5");
    const auto slow = co_await perform(
        stage, running,
        "[" + run("/bin/echo", "one") + "," + run("/bin/sleep", "2") + "," + run("/bin/echo", "three") + "]",
        "timeout=0.5");
    co_await stage.get(running.path() + "/state");
    co_await stage.get(running.path() + "/exec/" + slow + "?timeout=1&commandIndex=0");
    co_await stage.get(running.path() + "/exec/" + slow + "?timeout=0.3&commandIndex=2");
    co_await perform(stage, running, "[" + run("/bin/echo", "busy") + "]", "timeout=1");
    co_await stage.get(running.path() + "/exec/" + slow + "?timeout=10");
    co_await stage.get(running.path() + "/exec/" + slow + "?timeout=1&commandIndex=1");
    co_await stage.get(running.path() + "/exec/" + slow + "?timeout=0.5&commandIndex=3");
    co_await stage.get(running.path() + "/exec/" + slow + "?timeout=abc");
    co_await stage.get(running.path() + "/exec/" + slow + "?commandIndex=-1");
    co_await stage.get(running.path() + "/exec/" + slow);
    const auto failed = co_await perform(
        stage, running, "[" + run("/bin/fails", "7") + "," + run("/bin/echo", "never") + "]", "timeout=1");
    co_await stage.get(running.path() + "/exec/" + failed + "?timeout=0.5&commandIndex=1");
    co_await stage.get(running.path() + "/exec/" + failed + "?timeout=0.5&commandIndex=0");
    co_await perform(
        stage, running, R"([{"transfer":{"from":"ftp://x/y","to":"container:/golem/work/y"}}])", "timeout=5");
    co_await perform(stage, running, R"([{"sign":{}}])", "timeout=5");

    // Terminate as a command: it can be deployed again.
    co_await perform(stage, running, R"([{"terminate":{}}])", "timeout=5");
    co_await stage.get(running.path() + "/state");
    const auto last = co_await perform(
        stage, running, R"([{"deploy":{}},{"start":{}},)" + run("/bin/echo", "again") + "]", "timeout=5");
    co_await stage.get(running.path() + "/usage");
    co_await destroy(stage, deal, running);
    co_await look_at(stage, running, last);
    co_await stage.del(running.path());
    co_await stage.get(activities + "?agreementId=" + deal.agreement);
    co_await end_agreement(stage, deal);
    Json late;
    late["agreementId"] = deal.agreement;
    co_await stage.post(activities, late);
    const Json plain = deal.agreement;
    co_await stage.post(activities, plain);
}

Task<> scene_streams(Stage& stage)
{
    auto deal = new_deal(stage);
    co_await sign(stage, deal);
    Running running;
    co_await start(stage, deal, running);
    co_await perform(stage, running, R"([{"deploy":{}},{"start":{}}])", "timeout=5");
    const auto command = [](const std::string& program, const std::string& argument, const std::string& how) {
        return R"({"run":{"entry_point":"/bin/)" + program + R"(","args":[")" + argument +
               R"("],"capture":{"stdout":)" + how + R"(,"stderr":)" + how + "}}}";
    };
    const std::string streamed = R"({"stream":{}})";
    const std::string at_end = R"({"atEnd":{}})";

    // From before the first output to the end, and after it: a stream goes on as long as the exe-unit.
    const auto batch = co_await perform(
        stage, running,
        "[" + command("sleep", "1", streamed) + "," + command("echo", "one", streamed) + "," +
            command("echo", "two", at_end) + "," + command("bytes", "", streamed) + "," +
            command("sleep", "1", streamed) + "," + command("echo", "last", streamed) + "]",
        "");
    const auto results = running.path() + "/exec/" + batch;
    co_await stage.stream(results, std::chrono::seconds(4));
    co_await stage.get(results + "?timeout=1");
    co_await stage.stream(results, std::chrono::seconds(1));
    co_await stage.stream(results + "?timeout=0.1&commandIndex=1", std::chrono::seconds(1));

    // Of a batch that fails.
    const auto failing = co_await perform(
        stage, running,
        "[" + command("sleep", "1", streamed) + "," + command("fails", "3", streamed) + "," +
            command("echo", "never", streamed) + "]",
        "");
    co_await stage.stream(running.path() + "/exec/" + failing, std::chrono::seconds(2));
    co_await stage.get(running.path() + "/exec/" + failing + "?timeout=1");
    co_await stage.stream(running.path() + "/exec/" + no_activity, std::chrono::seconds(2));
    co_await stage.stream(activities + "/" + no_activity + "/exec/" + failing, std::chrono::seconds(2));
    co_await destroy(stage, deal, running);
    co_await stage.stream(results, std::chrono::seconds(1));
    co_await end_agreement(stage, deal);
}

Task<> scene_ends_of_activities(Stage& stage)
{
    auto deal = new_deal(stage);
    co_await sign(stage, deal);
    Json body;
    body["agreementId"] = deal.agreement;

    // Nobody answers: the wait ends, and the provider is told to destroy.
    co_await stage.post(activities + "?timeout=2", body);
    const auto unheard = co_await stage.activity_event(deal.agreement);
    co_await stage.activity_event(deal.agreement);
    co_await stage.get(activities + "?agreementId=" + deal.agreement);
    co_await stage.get(activities + "/" + unheard.activity + "/state");

    // The provider refuses.
    const Json plain = deal.agreement;
    const std::function<Task<>()> background = [&stage, plain]() -> Task<> { co_await stage.post(activities, plain); };
    co_await stage.meanwhile(background);
    const auto refused = co_await stage.activity_event(deal.agreement);
    const std::string why = "Only single Activity allowed";
    const std::string more = "Can't create 2 simultaneous Activities.";
    auto refuse = stage.provider().detach(refused.activity, why, more);
    co_await stage.tell("refuse", std::move(refuse));
    co_await stage.settle();
    co_await stage.activity_event(deal.agreement);
    co_await stage.get(activities + "?agreementId=" + deal.agreement);
    co_await stage.get(activities + "/" + refused.activity + "/state");

    // Two at once; one dies with a reason, under a command.
    Running first;
    Running second;
    co_await start(stage, deal, first);
    co_await start(stage, deal, second);
    co_await stage.get(activities + "?agreementId=" + deal.agreement);
    co_await perform(stage, first, R"([{"deploy":{}},{"start":{}}])", "timeout=5");
    co_await perform(stage, second, R"([{"deploy":{}},{"start":{}}])", "timeout=5");
    const auto long_one = co_await perform(stage, second, "[" + run("/bin/sleep", "60") + "]", "");
    const std::function<Task<>()> waiting = [&stage, &second, &long_one]() -> Task<> {
        co_await stage.get(second.path() + "/exec/" + long_one + "?timeout=10");
    };
    co_await stage.meanwhile(waiting);
    co_await stage.pass(std::chrono::milliseconds(300));
    co_await detach(stage, second, "Usage limit exceeded: golem.inf.mem.gib", "too much");
    co_await stage.settle();
    co_await look_at(stage, second, long_one);
    co_await stage.del(second.path());
    co_await stage.get(second.path() + "/state");

    // A destroy that nobody carries out in time.
    co_await stage.del(first.path() + "?timeout=1");
    co_await stage.activity_event(deal.agreement);
    co_await stage.get(first.path() + "/state");
    co_await detach(stage, first, "Finished", "");
    co_await look_at(stage, first, long_one);

    // The provider ends the agreement under a running command.
    Running third;
    co_await start(stage, deal, third);
    co_await perform(stage, third, R"([{"deploy":{}},{"start":{}}])", "timeout=5");
    const auto interrupted = co_await perform(stage, third, "[" + run("/bin/sleep", "60") + "]", "timeout=0.5");
    provider::Reason said;
    said.message = "Shutting down Provider";
    auto terminate = stage.provider().terminate_agreement(deal.agreement, said);
    co_await stage.tell("terminate", std::move(terminate));
    co_await detach(stage, third, "Interrupted by signal: 15: {}", "");
    co_await look_at(stage, third, interrupted);
    co_await stage.del(third.path());
    co_await stage.post(activities, body);
    co_await forget(stage, deal);
}

} // namespace golem::test
