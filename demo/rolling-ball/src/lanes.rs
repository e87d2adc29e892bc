//! The inner loops of the level method: minima of shifted rows, many pixels an instruction.
//!
//! Each function is compiled several times and the widest version that the processor has is chosen at run time, so
//! one binary is fast everywhere and still starts on the oldest x86-64. The loops are plain indexing over slices of
//! one length; the compiler turns them into vector instructions. Eight sources are joined in one pass because the
//! target row would otherwise be loaded and stored once a source.

/// Unsigned samples that the level method works on.
pub(crate) trait Lane: Copy + Ord + Into<u32> + 'static {
    /// The largest value, which stands for "outside the image".
    const MAX: Self;

    /// The sample of this value, or the largest one.
    fn saturated(value: u32) -> Self;
    /// `target = min(target, sources…)`, eight at a time.
    fn min8(target: &mut [Self], sources: [&[Self]; 8]);
    /// `target = min(target, sources…)`, four at a time.
    fn min4(target: &mut [Self], sources: [&[Self]; 4]);
    /// `target = min(target, source)`.
    fn min1(target: &mut [Self], source: &[Self]);
    /// `target = min(target, source + rise)`, where a sum too large counts as the largest value.
    fn min_risen(target: &mut [Self], source: &[Self], rise: Self);
}

macro_rules! lane {
    ($sample:ident, $min8:ident, $min4:ident, $min1:ident, $min_risen:ident) => {
        impl Lane for $sample {
            const MAX: Self = Self::MAX;

            fn saturated(value: u32) -> Self {
                Self::try_from(value).unwrap_or(Self::MAX)
            }
            fn min8(target: &mut [Self], [a, b, c, d, e, f, g, h]: [&[Self]; 8]) {
                $min8(target, a, b, c, d, e, f, g, h);
            }
            fn min4(target: &mut [Self], [a, b, c, d]: [&[Self]; 4]) {
                $min4(target, a, b, c, d);
            }
            fn min1(target: &mut [Self], source: &[Self]) {
                $min1(target, source);
            }
            fn min_risen(target: &mut [Self], source: &[Self], rise: Self) {
                $min_risen(target, source, rise);
            }
        }

        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512bw+avx512vl",
            "x86_64+avx2",
            "x86_64+sse4.1"
        ))]
        #[expect(
            clippy::too_many_arguments,
            reason = "separate slices are known not to overlap; an array's are not"
        )]
        fn $min8(
            target: &mut [$sample],
            a: &[$sample],
            b: &[$sample],
            c: &[$sample],
            d: &[$sample],
            e: &[$sample],
            f: &[$sample],
            g: &[$sample],
            h: &[$sample],
        ) {
            let n = target.len();
            let (a, b, c, d) = (&a[..n], &b[..n], &c[..n], &d[..n]);
            let (e, f, g, h) = (&e[..n], &f[..n], &g[..n], &h[..n]);
            for i in 0..n {
                let left = a[i].min(b[i]).min(c[i].min(d[i]));
                let right = e[i].min(f[i]).min(g[i].min(h[i]));
                target[i] = target[i].min(left.min(right));
            }
        }

        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512bw+avx512vl",
            "x86_64+avx2",
            "x86_64+sse4.1"
        ))]
        fn $min4(target: &mut [$sample], a: &[$sample], b: &[$sample], c: &[$sample], d: &[$sample]) {
            let n = target.len();
            let (a, b, c, d) = (&a[..n], &b[..n], &c[..n], &d[..n]);
            for i in 0..n {
                target[i] = target[i].min(a[i].min(b[i]).min(c[i].min(d[i])));
            }
        }

        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512bw+avx512vl",
            "x86_64+avx2",
            "x86_64+sse4.1"
        ))]
        fn $min1(target: &mut [$sample], a: &[$sample]) {
            let n = target.len();
            let a = &a[..n];
            for i in 0..n {
                target[i] = target[i].min(a[i]);
            }
        }

        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512bw+avx512vl",
            "x86_64+avx2",
            "x86_64+sse4.1"
        ))]
        fn $min_risen(target: &mut [$sample], a: &[$sample], rise: $sample) {
            let n = target.len();
            let a = &a[..n];
            for i in 0..n {
                target[i] = target[i].min(a[i].saturating_add(rise));
            }
        }
    };
}

lane!(u8, min8_u8, min4_u8, min1_u8, min_risen_u8);
lane!(u16, min8_u16, min4_u16, min1_u16, min_risen_u16);
