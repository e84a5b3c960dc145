// Private networks: what is taken, what is refused, and who is told that there is none.
#include <tests/scenes/deals.hpp>
#include <tests/scenes/scenes.hpp>

namespace golem::test {

namespace {

const std::string networks = "/net-api/v1/net";
const std::string nowhere = networks + "/" + std::string(32, '0');

std::string node_named(char letter) { return "0x" + std::string(40, letter); }

Json address(const std::string& ip)
{
    Json body;
    body["ip"] = ip;
    return body;
}

Json node(const std::string& id, const std::string& ip)
{
    Json body;
    body["id"] = id;
    body["ip"] = ip;
    return body;
}

Task<> ask_for_what_is_not(Stage& stage)
{
    co_await stage.get(nowhere);
    co_await stage.get(nowhere + "/nodes");
    co_await stage.get(nowhere + "/addresses");
    co_await stage.get(nowhere + "/tcp/10.0.0.2/80");
    const auto some_node = node("x", "x");
    co_await stage.post(nowhere + "/nodes", some_node);
    const auto some_address = address("x");
    co_await stage.post(nowhere + "/addresses", some_address);
    co_await stage.del(nowhere + "/nodes/x");
    co_await stage.del(nowhere);
    for (const std::string path : {"/connections", "/tcp", "/tcp/10.0.0.2", "/udp/10.0.0.2/80", "/raw/from/a/to/b"})
        co_await stage.get(nowhere + path);
}

// Each is made and removed, so that there is one at a time.
Task<> make_networks(Stage& stage)
{
    for (const std::string body :
         {R"({"ip":"192.168.0.0/24"})", R"({"ip":"192.168.0.0"})", R"({"ip":"10.1.0.5/16"})", R"({"ip":"10.0.0.0/8"})",
          R"({"ip":"10.0.0.0/30"})", R"({"ip":"10.0.0.0/31"})", R"({"ip":"10.0.0.7/32"})", R"({"ip":"0.0.0.0/0"})",
          R"({"ip":"10.0.0.0/24","mask":"255.255.0.0"})", R"({"ip":"10.0.0.0","mask":"255.255.0.0"})",
          R"({"ip":"10.0.0.0","mask":"255.0.255.0"})", R"({"ip":"10.0.0.0","mask":null,"gateway":null})",
          R"({"ip":"10.0.0.0/24","gateway":"10.0.0.77"})", R"({"ip":"10.0.0.0/24","gateway":"10.1.0.1"})",
          R"({"ip":"127.0.0.0/24","other":1})"}) {
        const auto made = co_await stage.post_text(networks, body);
        const auto path = networks + "/" + made.body.value("id", "");
        co_await stage.get(path + "/addresses");
        co_await stage.get(networks);
        co_await stage.del(path);
    }
    for (const std::string body :
         {R"({"ip":"10.0.0.0/33"})",
          R"({"ip":"10.0.0.0/x"})",
          R"({"ip":"10.0.0.0/"})",
          R"({"ip":"10.0.0.0/024"})",
          R"({"ip":"010.0.0.0"})",
          R"({"ip":"10.0.0"})",
          R"({"ip":" 10.0.0.0"})",
          R"({"ip":""})",
          R"({"ip":"x"})",
          R"({"ip":"x/24"})",
          R"({"ip":"10.0.0.0","mask":"x"})",
          R"({"ip":"10.0.0.0","mask":""})",
          R"({"ip":"10.0.0.0/24","gateway":"x"})",
          R"({"ip":17})",
          R"({"ip":"10.0.0.0/24","mask":5})",
          "{}",
          "[]",
          "null",
          "",
          "{",
          R"("x")"})
        co_await stage.post_text(networks, body);
}

Task<> change_members(Stage& stage, const std::string& path)
{
    for (const std::string ip :
         {"10.9.0.1", "10.9.0.7", "10.9.0.0", "10.9.0.255", "10.9.0.7/24", "10.8.0.1", "x", ""}) {
        const auto body = address(ip);
        co_await stage.post(path + "/addresses", body);
    }
    co_await stage.get(path + "/addresses");
    co_await stage.get(path + "/nodes");
    const auto first = node_named('a');
    const auto second = node_named('b');
    for (const std::string ip : {"10.9.0.2", "10.9.0.2", "10.9.0.3/24", "10.8.0.2", "x", ""}) {
        const auto body = node(first, ip);
        co_await stage.post(path + "/nodes", body);
    }
    // It is taken, and nothing changes.
    const auto late = node(second, "10.9.0.2");
    co_await stage.post(path + "/nodes", late);
    co_await stage.get(path + "/nodes");
    co_await stage.del(path + "/nodes/" + second);
    co_await stage.get(path + "/nodes");
    co_await stage.del(path + "/nodes/" + first);
    co_await stage.post(path + "/nodes", late);
    co_await stage.get(path + "/nodes");
    for (const std::string body : {"{}", R"({"id":"x"})", R"({"ip":"x"})", R"({"id":5,"ip":"10.9.0.5"})", "null", "[]"})
        co_await stage.post_text(path + "/nodes", body);
    for (const std::string body : {"{}", R"({"ip":null})", "null", "[]"})
        co_await stage.post_text(path + "/addresses", body);
    co_await stage.del(path + "/addresses");
    co_await stage.put(path, late);
}

// No machine of either stage is in a network.
Task<> connect(Stage& stage, const std::string& path)
{
    for (const std::string to : {"10.9.0.2/99999", "10.9.0.2/x", "10.9.0.2/-1", "x/80", "10.9.0.2/0", "10.9.0.2/80"})
        co_await stage.get(path + "/tcp/" + to);
}

} // namespace

Task<> scene_net(Stage& stage)
{
    co_await stage.get("/net-api/v2/net/status");
    co_await stage.get("/net-api/v2/net");
    co_await stage.get(networks);
    co_await ask_for_what_is_not(stage);
    co_await make_networks(stage);
    const auto wish = address("10.9.0.0/24");
    const auto made = co_await stage.post(networks, wish);
    const auto id = made.body.value("id", "");
    const auto path = networks + "/" + id;
    co_await stage.get(path);
    co_await stage.get("/net-api/v2/vpn/net/" + id);
    co_await stage.get("/net-api/v2/vpn/net");
    // Who has one is told something else of those that are not.
    co_await ask_for_what_is_not(stage);
    co_await change_members(stage, path);
    co_await connect(stage, path);
    co_await stage.del(path);
    co_await stage.del(path);
    co_await stage.get(path);
}

} // namespace golem::test
