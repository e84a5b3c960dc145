#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/tls.hpp>
#include <golem/market/payload.hpp>
#include <golem/yagna/daemon.hpp>

#include <map>
#include <memory>
#include <string>

namespace golem {

inline constexpr const char* default_registry = "https://registry.golem.network";

/// Where images are looked up by tag or hash, and how.
struct RegistryOptions {
    /// "https://registry.golem.network". Empty: GOLEM_REGISTRY_URL if a ServiceManager reads these options; else the
    /// devnet itself, if the daemon is one in this process; else default_registry.
    std::string url{};
    /// Providers are told the image's https address. By default its http one, as by the other SDKs: what they loaded is
    /// compared with the hash in either case.
    bool https_images = false;
    /// The registry counts the image as used.
    bool count = true;
    /// How long a registry that does not answer, or has failures of its own, is asked again. More than zero.
    Duration patience = std::chrono::minutes(1);
    /// One request. More than zero.
    Duration limit = std::chrono::seconds(30);
    /// For https.
    http::TlsOptions tls{};
};

/// What a registry says of images. Each image is asked for once; what failed is asked again by whoever comes next.
///
/// One executor. `time` outlives it; let every resolve() end before it is destroyed.
class ImageRegistry {
public:
    /// Without a way of its own it connects to `options.url`. Throws Error invalid_input for a bad URL or bad options.
    ImageRegistry(
        const Executor& executor, TimeSource& time, Random random, Logger log, const RegistryOptions& options,
        Daemon::MakeTransport make_transport = {});
    ~ImageRegistry();

    /// `payload` with the image's hash and address instead of its tag; as it is if it has no image to resolve. It
    /// outlives the await. Those who ask for one image at the same time share the request.
    ///
    /// Errors: not_found (the registry does not know the image), unreachable or daemon_failed (after
    /// RegistryOptions::patience), protocol (an answer that makes no sense, a certificate that proves nothing).
    Task<Payload> resolve(const Payload& payload);

    /// Ends all requests.
    void close() noexcept;

private:
    struct Image;

    Task<> look_up(std::shared_ptr<Image> image);
    Task<> ask(Image& image);

    Executor executor_;
    TimeSource& time_;
    Random random_;
    Logger log_;
    RegistryOptions options_;
    Daemon::MakeTransport make_transport_;
    std::shared_ptr<http::Transport> transport_; // Made when it is needed.
    std::map<std::string, std::shared_ptr<Image>> images_;
};

} // namespace golem
