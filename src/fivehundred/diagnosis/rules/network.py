"""Misconfiguration of the way to others: names, certificates, clocks, protocols, ports."""

from __future__ import annotations

from fivehundred.diagnosis.rules.base import Rule, Veto
from fivehundred.diagnosis.seen import attacks, places, resources
from fivehundred.diagnosis.told import surroundings

_openssl = "OpenSSL manual, x509_verify_cert(3): X509_V_ERR codes"

name_unknown = Rule(
    id="misconfiguration.dns_name",
    cause="misconfiguration",
    transient="no",
    because="the configured host name does not exist",
    advice="correct the host name in the configuration, or add it to the DNS",
    until="the name resolves",
    tell=surroundings.host_name,
    source="getaddrinfo(3): EAI_NONAME, EAI_NODATA",
    told_apart="the resolver is down: that is EAI_AGAIN, and then every name fails",
    errnos=("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"),
    texts=(
        "|Name or service not known",
        "|nodename nor servname provided",
        "|No address associated with hostname",
        "|could not translate host name",
        "|getaddrinfo ENOTFOUND",
        "|no such host",
        "|UnknownHostException",
        "|getaddrinfo failed",
    ),
    classes=(
        "java.UnknownHostException",
        "urllib3.NameResolutionError",
        "aiohttp.ClientConnectorDNSError",
        "dns.NXDOMAIN",
    ),
    weak_class=True,
    vetoes=(
        Veto("a wrong host name", attacks.address_from_request),
        Veto("a wrong host name", places.resolver_silent),
        Veto("a wrong host name", resources.no_descriptors),
    ),
    nots=(Veto("a resolver that is down", places.name_does_not_exist, "it answered that there is no such name"),),
)

resolver_down = Rule(
    id="misconfiguration.dns_resolver",
    cause="misconfiguration",
    transient="clears",
    because="the DNS resolver does not answer",
    advice="look at /etc/resolv.conf and the resolver it names; a local cache helps over short outages",
    until="the resolver answers again",
    source="getaddrinfo(3): EAI_AGAIN, EAI_FAIL",
    told_apart="one wrong name: that is EAI_NONAME",
    errnos=("EAI_AGAIN", "EAI_FAIL"),
    texts=("|Temporary failure in name resolution", "|getaddrinfo EAI_AGAIN", "|Non-recoverable failure in name"),
    status=503,
    retry_after_s=10,
    vetoes=(Veto("the resolver", resources.no_descriptors),),
)

tls_expired = Rule(
    id="misconfiguration.certificate_expired",
    cause="misconfiguration",
    transient="no",
    because="the other side's certificate has expired",
    advice="renew the certificate of the named host, and monitor its end date",
    until="the certificate is renewed",
    tell=surroundings.certificate,
    source=f"{_openssl}, 10",
    told_apart="a wrong clock of ours: then certificates of many hosts fail at once",
    texts=("|certificate has expired", "|CERT_HAS_EXPIRED", "|CertificateExpiredException", "|certificate expired"),
    errnos=("X509_10",),
)

tls_not_yet = Rule(
    id="misconfiguration.clock",
    cause="misconfiguration",
    transient="no",
    because="this machine's clock is wrong: the certificate is not valid yet",
    advice="set the clock and keep it set (NTP); only if it is right, look at the certificate's start date",
    until="the clock is right",
    source=f"{_openssl}, 9",
    told_apart="a bad certificate: certificates are rarely issued for the future, clocks are often behind",
    texts=("|certificate is not yet valid", "|CERT_NOT_YET_VALID", "|CertificateNotYetValidException"),
    errnos=("X509_9",),
    confirms=places.clock_differs,
)

tls_unknown = Rule(
    id="misconfiguration.certificate_authority",
    cause="misconfiguration",
    transient="no",
    because="the certificate of the other side is signed by an authority that is not trusted here",
    advice=(
        "install the authority's certificate (or the missing intermediate on the other side); never "
        "switch verification off"
    ),
    until="the authority is trusted",
    tell=surroundings.certificate,
    source=f"{_openssl}, 2, 18 to 21",
    texts=(
        "|self-signed certificate",
        "|self signed certificate",
        "|unable to get local issuer certificate",
        "|unable to get issuer certificate",
        "|unable to verify the first certificate",
        "|DEPTH_ZERO_SELF_SIGNED_CERT",
        "|UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "|PKIX path building failed",
        "|certificate signed by unknown authority",
    ),
    errnos=("X509_2", "X509_18", "X509_19", "X509_20", "X509_21"),
)

tls_host = Rule(
    id="misconfiguration.certificate_host",
    cause="misconfiguration",
    transient="no",
    because="the certificate was made for another host name",
    advice="use the name that the certificate holds, or issue one for this name",
    until="name and certificate fit together",
    tell=surroundings.certificate,
    source=f"{_openssl}, 62, 64",
    texts=(
        "|Hostname mismatch",
        "|hostname mismatch",
        "|IP address mismatch",
        "|doesn't match either of",
        "|doesn't match '",
        "|ERR_TLS_CERT_ALTNAME_INVALID",
        "|certificate is not valid for",
        "|No subject alternative",
    ),
    errnos=("X509_62", "X509_64"),
)

tls_other = Rule(
    id="misconfiguration.tls",
    cause="misconfiguration",
    transient="no",
    because="the two sides do not agree on TLS",
    advice="compare scheme, port and TLS versions of both sides: plain HTTP on a TLS port says 'wrong version number'",
    until="both sides speak the same protocol",
    source="OpenSSL error strings; Python documentation, ssl.SSLError.reason",
    classes=(
        "ssl.SSLCertVerificationError",
        "ssl.CertificateError",
        "requests.InvalidSchema",
        "httpx.UnsupportedProtocol",
    ),
    texts=(
        "|WRONG_VERSION_NUMBER",
        "|wrong version number",
        "|HTTP_REQUEST",
        "|UNSUPPORTED_PROTOCOL",
        "|HANDSHAKE_FAILURE",
        "|NO_SHARED_CIPHER",
        "|TLSV1_ALERT",
        "|KEY_VALUES_MISMATCH",
        "|RECORD_LAYER_FAILURE",
        "|UNKNOWN_PROTOCOL",
        "|server does not support SSL",
        "|ERR_SSL_",
    ),
    when=places.configured_url_is_none,
)

peer_identity = Rule(
    id="misconfiguration.peer_identity",
    cause="misconfiguration",
    transient="no",
    because="the other side shows a key that is not the one known here",
    advice="compare the key with the other side's operator; put the new one into known_hosts only if it is theirs",
    until="the key is known here, or the right machine answers",
    source="RFC 4251 section 4.1: host keys",
    told_apart="refused credentials: here it is we who refuse the other side",
    classes=("paramiko.BadHostKeyException", "asyncssh.HostKeyNotVerifiable"),
)

port = Rule(
    id="misconfiguration.port_in_use",
    cause="misconfiguration",
    transient="no",
    because="the address to listen on is taken or does not belong to this machine",
    advice="stop the other process, or choose another port or address",
    until="the address is free",
    source="errno(3) EADDRINUSE",
    errnos=("EADDRINUSE",),
)
