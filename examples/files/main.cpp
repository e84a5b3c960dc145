// A file's way to a machine and back.
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>

#include <iostream>

const std::string image = "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae";

struct Copier : golem::Service {
    Copier(std::string from_path, std::string to_path) : from(std::move(from_path)), to(std::move(to_path)) {}

    golem::Payload payload() const override
    {
        return golem::vm_image(image, "http://registry.golem.network/download/" + image);
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        co_await work.send_file(from, "/golem/work/file");
        const auto count = co_await work.run("/bin/sh", "-c", "wc -c < /golem/work/file");
        std::cout << work.provider().name << " has " << count.out << std::flush;
        co_await work.download_file("/golem/work/file", to);
        std::cout << to << " is back" << std::endl;
    }

    const std::string from;
    const std::string to;
};

int main(int argc, char** argv)
{
    if (argc != 3) {
        std::cerr << "usage: files FROM TO\n";
        return 2;
    }
    const std::string from = argv[1];
    const std::string to = argv[2];
    const auto app = [&](golem::ServiceManager& manager) -> golem::Task<> {
        const auto copier = manager.create_service<Copier>(from, to);
        co_await copier->wait_for(golem::ServiceStatus::stopped);
    };
    return golem::run(app, golem::devnet::daemon_or_devnet());
}
