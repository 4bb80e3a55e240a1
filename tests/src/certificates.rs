//! Certificates that a test generates for itself.

use std::net::Ipv4Addr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its key, in PKCS #8.
    pub key: String,
}

impl Authority {
    /// A new authority, which no client trusts yet.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// The authority's own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a test server, valid for `127.0.0.1` and `localhost`.
    pub fn server(&self) -> Certificate {
        self.sign(for_this_machine())
    }

    /// Like [`server`](Self::server), but expired long ago.
    pub fn expired(&self) -> Certificate {
        let mut params = for_this_machine();
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    /// Like [`server`](Self::server), but not valid yet.
    pub fn not_yet_valid(&self) -> Certificate {
        let mut params = for_this_machine();
        params.not_before = date_time_ymd(3000, 1, 1);
        self.sign(params)
    }

    /// A server certificate for another host name.
    pub fn server_named(&self, name: &str) -> Certificate {
        self.sign(CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// A certificate for a client.
    pub fn client(&self, name: &str) -> Certificate {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        Certificate {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

fn for_this_machine() -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let address = SanType::IpAddress(Ipv4Addr::LOCALHOST.into());
    params.subject_alt_names.push(address);
    params
}
