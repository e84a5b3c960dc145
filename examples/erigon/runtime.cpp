// Plays the part of a provider's runtime "erigon", for the devnet and for tests.
//
//   erigon-runtime start '{"network": "goerli"}'   listens on a loopback port, in the background
//   erigon-runtime STATUS                          prints {"status", "url", "auth", "network"}
//
// Both in one directory. It answers Ethereum's JSON-RPC over HTTP with basic authentication; it knows no chain.
#include "json.hpp"

#include <golem/core/random.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/server.hpp>

#include <boost/asio/io_context.hpp>

#include <openssl/evp.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

namespace {

using erigon::Json;
using namespace golem;

constexpr auto status_file = "status.json";

const std::map<std::string, int> chains = {
    {"mainnet", 1}, {"ropsten", 3}, {"rinkeby", 4}, {"goerli", 5}, {"sepolia", 11155111}};

std::string base64(const std::string& text)
{
    std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
    const auto size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(encoded.data()), reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size()));
    encoded.resize(static_cast<std::size_t>(size));
    return encoded;
}

class Rpc : public http::Handler {
public:
    Rpc(std::string authorization, int chain) : authorization_(std::move(authorization)), chain_(chain) {}

    Task<http::Response> handle(const http::Request& request) override
    {
        if (request.headers().get("Authorization").value_or("") != authorization_) {
            http::Response refusal(401, "unauthorized\n", "text/plain");
            refusal.headers().set("WWW-Authenticate", "Basic realm=\"erigon\"");
            co_return refusal;
        }
        http::Response response(200, answer(request.body()).dump());
        co_return response;
    }

private:
    Json answer(const std::string& body) const
    {
        const auto call = erigon::read_json(body);
        Json reply;
        reply["jsonrpc"] = "2.0";
        reply["id"] = call.is_object() ? call.value("id", Json()) : Json();
        const auto method = call.is_object() ? call.value("method", Json("")) : Json("");
        char hex[32];
        std::snprintf(hex, sizeof hex, "0x%x", static_cast<unsigned>(chain_));
        if (!call.is_object())
            reply["error"] = {{"code", -32700}, {"message", "parse error"}};
        else if (method == "web3_clientVersion")
            reply["result"] = "erigon/0.0.0/devnet";
        else if (method == "net_version")
            reply["result"] = std::to_string(chain_);
        else if (method == "eth_chainId")
            reply["result"] = hex;
        else if (method == "eth_blockNumber")
            reply["result"] = "0x0";
        else if (method == "eth_syncing")
            reply["result"] = false;
        else
            reply["error"] = {{"code", -32601}, {"message", "the method " + method.dump() + " does not exist"}};
        return reply;
    }

    std::string authorization_;
    int chain_;
};

// In the background from here on; `ready` tells who started it.
int serve(const std::string& network, int ready)
{
    Random random(Random::seed_from_system());
    const auto password = random.hex(32);
    RealTime time;
    boost::asio::io_context context(1);
    const auto rpc = std::make_shared<Rpc>("Basic " + base64("erigon:" + password), chains.at(network));
    http::Server server(context.get_executor(), time, rpc, http::ServerOptions(), Logger());
    Json status;
    status["status"] = "running";
    status["url"] = "http://127.0.0.1:" + std::to_string(server.port());
    status["auth"]["user"] = "erigon";
    status["auth"]["password"] = password;
    status["network"] = network;
    std::ofstream(status_file) << status.dump() << '\n';
    if (::write(ready, "1", 1) != 1)
        return 1;
    ::close(ready);
    TaskGroup tasks(context.get_executor());
    tasks.spawn("server", [&] { return server.run(); });
    context.run();
    return 0;
}

int start(const char* params_text)
{
    const auto params = Json::parse(params_text, nullptr, false);
    const auto network = params.is_object() ? params.value("network", Json("mainnet")) : Json();
    if (!network.is_string() || !chains.contains(network.get<std::string>())) {
        std::cerr << "there is no network " << network.dump() << '\n';
        return 1;
    }
    int ends[2];
    if (::pipe(ends) != 0)
        return 1;
    const auto child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        const int nothing = ::open("/dev/null", O_RDWR);
        for (const int number : {0, 1, 2})
            ::dup2(nothing, number);
        return serve(network.get<std::string>(), ends[1]);
    }
    ::close(ends[1]);
    char byte = 0;
    if (child < 0 || ::read(ends[0], &byte, 1) != 1) {
        std::cerr << "the node did not start\n";
        return 1;
    }
    return 0;
}

bool listens(const std::string& url)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    return connected;
}

int tell_status()
{
    std::ifstream file(status_file);
    std::string text;
    const auto status = std::getline(file, text) ? Json::parse(text, nullptr, false) : Json();
    if (!status.is_object() || !listens(status["url"].get<std::string>())) {
        std::cerr << "the node is not running\n";
        return 1;
    }
    std::cout << text << '\n';
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "start" && argc == 3)
        return start(argv[2]);
    if (command == "STATUS" && argc == 2)
        return tell_status();
    std::cerr << "usage: erigon-runtime start PARAMS | STATUS\n";
    return 2;
}
