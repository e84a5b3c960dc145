// Erigon nodes on demand, for many users, behind a REST API.
#include "api.hpp"

#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>
#include <golem/http/server.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>
#include <string>

namespace {

// The server and the manager share an executor. Ctrl-C ends the server; then run() has the manager stop every node.
golem::Task<> app(golem::ServiceManager& manager, const golem::http::ServerOptions& options)
{
    const auto api = std::make_shared<erigon::Api>(manager);
    golem::http::Server server(manager.executor(), manager.time(), api, options, golem::Logger());
    std::cout << "http://" << options.address << ":" << server.port() << "/" << std::endl;
    co_await server.run();
}

} // namespace

int main(int argc, char** argv)
{
    golem::http::ServerOptions server;
    server.port = 5000;
    server.body_limit = 64 * 1024;
    std::string budget = "10";
    std::string log;
    golem::devnet::EmbeddedOptions embedded;
    embedded.providers = 3;
    embedded.provider.runtime = "erigon";
    embedded.program = ERIGON_RUNTIME;
    CLI::App options("Erigon nodes on demand, for many users, behind a REST API.");
    options.add_option("--port", server.port, "Port on 127.0.0.1; 0 lets the system choose")->capture_default_str();
    options.add_option("--budget", budget, "What may be spent in all, in GLM")->capture_default_str();
    options.add_option("--providers", embedded.providers, "Providers of the embedded devnet")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    options.add_option("--log", log, "File for the library's log");
    try {
        options.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return options.exit(error) == 0 ? 0 : 2;
    }
    try {
        golem::ServiceManagerOptions manager;
        manager.payment.budget = golem::Amount::parse(budget);
        manager.log.path = log;
        manager.log.level = golem::LogLevel::debug;
        manager.daemon = golem::devnet::daemon_or_devnet(embedded);
        return golem::run([&server](golem::ServiceManager& services) { return app(services, server); }, manager);
    } catch (const golem::Error& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 2;
    }
}
