// A web server on a rented machine, in a private network, and this program as its visitor: through a proxy at a port of
// this machine.
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>
#include <golem/http/client.hpp>
#include <golem/http/transport.hpp>

#include <cstdlib>
#include <iostream>

const std::string image = "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae";

struct WebServer : golem::Service {
    explicit WebServer(std::uint16_t its_port) : port(its_port) {}

    golem::Payload payload() const override
    {
        return golem::vm_image(image, "http://registry.golem.network/download/" + image);
    }

    golem::Task<> start(golem::WorkContext& work) override
    {
        co_await Service::start(work);
        // A machine of the devnet is this one (GOLEM_WORK says so): only it shall be served there.
        const std::string server = "cd /golem/work && echo 'Hello from the other side' > index.html && "
                                   "python3 -m http.server ${GOLEM_WORK:+--bind 127.0.0.1} " +
                                   std::to_string(port) + " > /dev/null 2>&1 &";
        co_await work.run("/bin/sh", "-c", server);
    }

    const std::uint16_t port;
};

golem::Task<std::string> visit(golem::ServiceManager& manager, const std::string& address)
{
    const auto url = golem::http::Url::parse("http://" + address);
    const auto transport = golem::http::make_transport(manager.executor(), manager.time(), url);
    const golem::http::Request request(golem::http::Method::get, "/");
    std::string page;
    // The server takes a moment to listen; until then the proxy's answer is 502 and says so.
    for (int attempt = 0; attempt < 50; ++attempt) {
        const auto response = co_await transport->send(request);
        page = response.body();
        if (response.status() != 502)
            break;
        co_await manager.sleep(std::chrono::milliseconds(200));
    }
    transport->close();
    co_return page;
}

golem::Task<> app(golem::ServiceManager& manager, std::uint16_t port)
{
    const auto network = manager.create_network();
    golem::ServiceOptions options;
    options.network = network;
    options.network_name = "web";
    const auto web = manager.create_service<WebServer>(options, port);
    co_await web->wait_for(golem::ServiceStatus::running);
    const auto proxy = network->http_proxy("web", port);
    std::cout << "web is at http://" << proxy->address() << std::endl;
    const auto page = co_await visit(manager, proxy->address());
    std::cout << page << std::flush;
}

int main(int argc, char** argv)
{
    const int wish = argc > 1 ? std::atoi(argv[1]) : 0;
    const auto port = static_cast<std::uint16_t>(wish > 0 && wish < 65536 ? wish : 8000);
    return golem::run(
        [port](golem::ServiceManager& manager) { return app(manager, port); }, golem::devnet::daemon_or_devnet());
}
