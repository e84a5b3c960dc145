// Certificates made on the spot: an authority, and what it signs.
#pragma once

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace golem::http::test {

struct CertificateWish {
    std::string common_name = "localhost";
    /// "DNS:localhost,IP:127.0.0.1"; empty: none.
    std::string names;
    /// Relative to now, in seconds.
    long valid_from = -3600;
    long valid_to = 3600;
    bool is_authority = false;
};

/// A key and its certificate.
class Certificate {
public:
    /// Signed by `authority`, or by itself.
    explicit Certificate(const CertificateWish& wish, const Certificate* authority = nullptr)
        : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free), x509_(X509_new(), X509_free)
    {
        auto* x509 = x509_.get();
        static long serial = 0;
        X509_set_version(x509, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(x509), wish.valid_from);
        X509_gmtime_adj(X509_getm_notAfter(x509), wish.valid_to);
        X509_set_pubkey(x509, key_.get());
        auto* name = X509_get_subject_name(x509);
        const auto* text = reinterpret_cast<const unsigned char*>(wish.common_name.c_str());
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
        auto* issuer = authority ? authority->x509_.get() : x509;
        X509_set_issuer_name(x509, X509_get_subject_name(issuer));
        add(issuer, NID_basic_constraints, wish.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
        if (!wish.names.empty())
            add(issuer, NID_subject_alt_name, wish.names);
        if (X509_sign(x509, (authority ? *authority : *this).key_.get(), EVP_sha256()) == 0)
            throw std::runtime_error("a certificate could not be signed");
    }

    std::string certificate_pem() const
    {
        return text([this](BIO* out) { PEM_write_bio_X509(out, x509_.get()); });
    }

    std::string key_pem() const
    {
        return text(
            [this](BIO* out) { PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }

private:
    void add(X509* issuer, int kind, const std::string& value)
    {
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer, x509_.get(), nullptr, nullptr, 0);
        const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
            X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
        if (!extension)
            throw std::runtime_error("an extension of a certificate could not be made");
        X509_add_ext(x509_.get(), extension.get(), -1);
    }

    template <typename Write>
    static std::string text(Write write)
    {
        const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), BIO_free_all);
        write(out.get());
        char* data = nullptr;
        const auto size = BIO_get_mem_data(out.get(), &data);
        return std::string(data, static_cast<std::size_t>(size));
    }

    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
    std::unique_ptr<X509, decltype(&X509_free)> x509_;
};

} // namespace golem::http::test
