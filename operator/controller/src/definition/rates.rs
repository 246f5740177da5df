//! What an hour of a worker costs on AWS, frozen into each definition, so that a run's cost is told by the rates of its day.
//!
//! Source: <https://aws.amazon.com/fargate/pricing/> (Linux/x86, on demand) and <https://aws.amazon.com/s3/pricing/> (S3 Standard).
//! The rates of us-east-1 were read in October 2026. All agree with an extract of AWS' price list that others made,
//! <https://github.com/theuves/fgcalc>, `src/utils/data.js`, compared in November 2026; AWS may have changed those of other regions since it was made.
//! A region that is not here has no cost, rather than a guessed one. `docs/users/cost.md` shows this table.

use volley_api::WorkerSize;

/// Fargate in one region, in billionths of a US dollar an hour.
struct Fargate {
    region: &'static str,
    vcpu: u64,
    gibibyte: u64,
}

const fn fargate(region: &'static str, vcpu: u64, gibibyte: u64) -> Fargate {
    Fargate { region, vcpu, gibibyte }
}

/// Sorted by region.
const FARGATE: &[Fargate] = &[
    fargate("af-south-1", 54_600_000, 6_000_000),
    fargate("ap-east-1", 55_600_000, 6_100_000),
    fargate("ap-northeast-1", 50_560_000, 5_530_000),
    fargate("ap-northeast-2", 46_560_000, 5_110_000),
    fargate("ap-south-1", 42_560_000, 4_655_000),
    fargate("ap-southeast-1", 50_560_000, 5_530_000),
    fargate("ap-southeast-2", 48_560_000, 5_320_000),
    fargate("ca-central-1", 44_560_000, 4_865_000),
    fargate("eu-central-1", 46_560_000, 5_110_000),
    fargate("eu-north-1", 44_500_000, 4_900_000),
    fargate("eu-south-1", 48_600_000, 5_300_000),
    fargate("eu-west-1", 40_480_000, 4_445_000),
    fargate("eu-west-2", 46_560_000, 5_110_000),
    fargate("eu-west-3", 48_600_000, 5_300_000),
    fargate("me-south-1", 52_600_000, 5_800_000),
    fargate("sa-east-1", 69_600_000, 7_600_000),
    fargate("us-east-1", 40_480_000, 4_445_000),
    fargate("us-east-2", 40_480_000, 4_445_000),
    fargate("us-west-1", 46_560_000, 5_110_000),
    fargate("us-west-2", 40_480_000, 4_445_000),
];

/// S3 requests in billionths of a US dollar, us-east-1; elsewhere they differ a little.
const S3_GET: u64 = 400;
const S3_PUT: u64 = 5_000;
/// A collector looks for decisions each second.
const GETS_AN_HOUR: u64 = 3_600;
/// It uploads a checkpoint of a few objects every half minute.
const PUTS_AN_HOUR: u64 = 480;

/// What an hour of a worker of this size costs in a region: Fargate and the worker's requests to S3, in billionths of a US dollar.
/// `None`: nobody here knows the region's rates.
pub(super) fn worker_hour(region: &str, size: WorkerSize) -> Option<u64> {
    let rates = FARGATE.iter().find(|rates| rates.region == region)?;
    let compute = u64::from(size.millicores()) * rates.vcpu / 1000 + u64::from(size.gibibytes()) * rates.gibibyte;
    Some(compute + GETS_AN_HOUR * S3_GET + PUTS_AN_HOUR * S3_PUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_a_worker_is_its_size_at_the_rates_of_its_region() {
        // 1 vCPU and 2 GB cost $0.04937 an hour; 3,600 reads and 480 writes $0.00384.
        assert_eq!(worker_hour("us-east-1", WorkerSize::Standard), Some(49_370_000 + 1_440_000 + 2_400_000));
        // 0.5 vCPU and 2 GB.
        assert_eq!(worker_hour("sa-east-1", WorkerSize::Small), Some(34_800_000 + 15_200_000 + 3_840_000));
    }

    #[test]
    fn a_region_without_rates_has_no_cost() {
        assert_eq!(worker_hour("mars-north-1", WorkerSize::Standard), None);
    }

    #[test]
    fn the_documents_show_the_rates_that_are_used() {
        let path = format!("{}/../../docs/users/cost.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(path).unwrap();
        for rates in FARGATE {
            let dollars = |billionths: u64| {
                let digits = format!("{billionths:09}");
                format!("0.{}", digits.trim_end_matches('0'))
            };
            let row = format!("| {} | {} | {} |", rates.region, dollars(rates.vcpu), dollars(rates.gibibyte));
            assert!(page.lines().any(|line| line == row), "docs/users/cost.md lacks: {row}");
        }
        assert!(FARGATE.is_sorted_by_key(|rates| rates.region));
    }
}
