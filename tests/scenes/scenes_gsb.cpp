// Services of the requestor on the bus.
#include <tests/scenes/scenes.hpp>

namespace golem::test {

Task<> scene_gsb(Stage& stage)
{
    const std::string services = "/gsb-api/v1/services";
    for (const std::string body :
         {"{}", R"({"nonsense":1})", "", "[]", "null", "{", R"({"listen":5})", R"({"listen":null})", R"({"listen":{}})",
          R"({"listen":{"on":"/public/gftp/x"}})", R"({"listen":{"components":["GetChunk"]}})",
          R"({"listen":{"on":5,"components":[]}})", R"({"listen":{"on":"/public/gftp/x","components":5}})",
          R"({"listen":{"on":"/public/gftp/x","components":[5]}})", R"({"listen":{"on":"","components":[]}})"})
        co_await stage.post_text(services, body);

    // The same on all daemons, since its id is made of it; each performance takes it back.
    const std::string id = "L3B1YmxpYy9nZnRwL2Etc2NlbmU"; // "/public/gftp/a-scene"
    const auto wish = Json::parse(
        R"({"listen":{"on":"/public/gftp/a-scene","components":["GetMetadata","GetChunk","UploadChunk"]}})");
    co_await stage.post(services, wish);
    co_await stage.post(services, wish);
    co_await stage.get(services);
    co_await stage.del(services + "/" + id);
    co_await stage.del(services + "/" + id);
    co_await stage.get(services + "/" + id);
    co_await stage.del(services + "/!!");
    co_await stage.get(services + "/!!");
    co_await stage.del(services + "/bm90aGluZw");
    // It may be offered again.
    co_await stage.post(services, wish);
    co_await stage.del(services + "/" + id);
}

} // namespace golem::test
