#include "secure_stream.hpp"

#include <golem/core/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace golem::http::connections {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

bool is_address(const std::string& host)
{
    error_code error;
    asio::ip::make_address(host, error);
    return !error;
}

// What is verified besides the signatures: the certificate is for this host.
bool expect_host(SSL* ssl, const std::string& host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
}

bool is_ssl(const error_code& error) { return error.category() == asio::error::get_ssl_category(); }

} // namespace

std::unique_ptr<asio::ssl::context> make_tls_context(const Url& url, const TlsOptions& options)
{
    if (!url.is_tls())
        return nullptr;
    auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    if (options.insecure_accept_any_certificate) {
        context->set_verify_mode(asio::ssl::verify_none);
        return context;
    }
    context->set_verify_mode(asio::ssl::verify_peer);
    error_code error;
    if (options.trust_system_authorities)
        context->set_default_verify_paths(error);
    if (error)
        throw Error(
            Errc::invalid_input, "make HTTP transport",
            "the authorities that this machine trusts cannot be read (" + error.message() + ")");
    if (!options.ca_file.empty())
        context->load_verify_file(options.ca_file, error);
    if (error)
        throw Error(
            Errc::invalid_input, "make HTTP transport",
            "TlsOptions::ca_file, \"" + options.ca_file + "\", cannot be used (" + error.message() +
                "): it must be a file of certificates in PEM form");
    return context;
}

std::string
explain_handshake(const std::string& origin, const std::string& host, const error_code& error, long verification)
{
    const std::string certificate = "the certificate of " + origin;
    const std::string reason = X509_verify_cert_error_string(verification);
    switch (verification) {
    case X509_V_OK: break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return certificate + " has expired: it must be renewed there, or the clock of this machine is wrong";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return certificate + " is not valid yet: its clock or that of this machine is wrong";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return certificate + " is not for \"" + host + "\": use a name in the URL for which it was made";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: // Another authority of the same name.
        return certificate + " comes from an authority that is not trusted here (" + reason +
               "): if it is yours, name the authority's certificate in TlsOptions::ca_file";
    default: return certificate + " is not accepted (" + reason + ")";
    }
    const auto* said = is_ssl(error) ? ERR_reason_error_string(static_cast<unsigned long>(error.value())) : nullptr;
    const std::string words = said ? said : error.message();
    return origin + " does not speak TLS as it should (" + words + "): is it an http:// URL?";
}

Task<Handshake>
shake_hands(SecureStream& stream, asio::ssl::context& context, const std::string& host, const std::string& origin)
{
    Handshake result;
    auto& tls = stream.secure(context);
    if (!expect_host(tls.native_handle(), host)) {
        result.error = asio::error::invalid_argument;
        result.explanation = "\"" + host + "\" cannot be the name of a certificate: use another name in the URL";
        co_return result;
    }
    auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::client, asio::as_tuple(asio::deferred));
    result.error = error;
    const bool verdict_counts = SSL_get_verify_mode(tls.native_handle()) != SSL_VERIFY_NONE;
    const long verification = verdict_counts ? SSL_get_verify_result(tls.native_handle()) : X509_V_OK;
    if (error && (is_ssl(error) || verification != X509_V_OK))
        result.explanation = explain_handshake(origin, host, error, verification);
    co_return result;
}

} // namespace golem::http::connections
