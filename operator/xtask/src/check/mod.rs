//! The checks of the house. Each has a reason in CONTRIBUTING; each complaint names file, fault and remedy.

mod crates;
mod examples;
mod files;
mod monitoring;

use volley_api::validate::Validator;

use crate::repository::{Error, Repository};

/// All complaints; none means that the house is in order.
pub(crate) fn all(repository: &Repository) -> Result<Vec<String>, Error> {
    let mut complaints = crates::complaints(&repository.packages()?);
    complaints.extend(monitoring::complaints(repository)?);
    let validator = Validator::new()?;
    for path in repository.files()? {
        let Some(text) = repository.read(&path).ok().flatten() else { continue };
        complaints.extend(files::complaints(&path, &text));
        // Templates of the example's chart are no manifests yet.
        if path.starts_with("examples/") && !path.contains("/templates/") {
            complaints.extend(examples::complaints(&validator, &path, &text));
        }
    }
    if complaints.is_empty() {
        println!("the house is in order");
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_in_order() {
        assert_eq!(all(&Repository::here().unwrap()).unwrap(), Vec::<String>::new());
    }
}
