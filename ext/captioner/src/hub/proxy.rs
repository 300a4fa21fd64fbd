//! The proxy that the environment names, taken at its word: one that cannot be used is refused, never passed by.

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use crate::error::{Error, Result};

/// Where `ureq` looks, in its order.
const VARIABLES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Fails with `ModelUnavailable`, naming the variable, where a request to `url` should go through a proxy that there is no way
/// through.
pub(super) fn check(url: &Uri, lookup: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let set = |name| lookup(name).filter(|value| !value.trim().is_empty()).map(|value| (name, value));
    let Some((name, value)) = VARIABLES.into_iter().find_map(set) else { return Ok(()) };
    let refused = |what: &str| {
        Err(Error::ModelUnavailable(format!(
            "{name} {what}; name one that starts with http:// or https://, or let NO_PROXY name {}",
            url.host().unwrap_or("the hub")
        )))
    };
    let list = lookup("NO_PROXY").or_else(|| lookup("no_proxy")).unwrap_or_default();
    // The list is asked of a proxy that can be made; which one does not matter.
    let any = list.split(',').fold(Proxy::builder(ProxyProtocol::Http).host("any"), |proxy, host| proxy.no_proxy(host));
    let direct = any.build().is_ok_and(|proxy| proxy.is_no_proxy(url));
    match Proxy::new(&value).map(|proxy| proxy.protocol()) {
        _ if direct => Ok(()),
        Ok(ProxyProtocol::Http | ProxyProtocol::Https) => Ok(()),
        // The address may hold a password.
        Ok(_) => refused("names a SOCKS proxy, which downloads cannot go through"),
        Err(_) => refused("is not the address of a proxy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(variables: &[(&str, &str)]) -> std::result::Result<(), String> {
        let endpoint = "https://hub.example".parse().unwrap();
        let lookup = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_string());
        check(&endpoint, &lookup).map_err(|error| match error {
            Error::ModelUnavailable(message) => message,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn proxies_that_work_are_taken() {
        for variables in [
            &[][..],
            &[("HTTPS_PROXY", "http://me:secret@proxy:3128")],
            &[("https_proxy", "proxy:3128")],
            &[("ALL_PROXY", "https://proxy")],
            &[("HTTPS_PROXY", "")],
        ] {
            assert_eq!(checked(variables), Ok(()), "{variables:?}");
        }
    }

    #[test]
    fn proxies_that_cannot_be_used_are_refused_by_name() {
        for variable in VARIABLES {
            for address in ["socks5://me:secret@proxy:1080", "socks5h://proxy", "socks4://proxy", "socks://proxy"] {
                let message = checked(&[(variable, address)]).unwrap_err();
                assert!(message.contains(variable) && message.contains("SOCKS"), "{message}");
                assert!(!message.contains("secret"), "{message}");
            }
            for address in ["ftp://proxy", "http://", "://"] {
                assert!(checked(&[(variable, address)]).unwrap_err().contains("not the address"), "{address}");
            }
        }
    }

    #[test]
    fn a_hub_that_needs_no_proxy_needs_no_proxy_that_works() {
        for list in ["hub.example", "*", ".example", "elsewhere,hub.example"] {
            assert_eq!(checked(&[("ALL_PROXY", "socks5://proxy"), ("NO_PROXY", list)]), Ok(()), "{list}");
        }
        assert!(checked(&[("ALL_PROXY", "socks5://proxy"), ("NO_PROXY", "other.example")]).is_err());
    }
}
