"""What the columns of the real tables are, written down by hand from their documentation.

``quantity``: a number with a size (years and counts too); ``flag``: two values, or one of them;
``code``: a number or short text that names a class, by a list made elsewhere or by the table;
``class``: a text that names a class; ``date``; ``row``: numbers rows, people or records;
``bad cell``: a quantity with cells that are no numbers: left out, and the row of one is said.
"""

REAL: dict[str, dict[str, str]] = {
    "adult": {
        "quantity": "age fnlwgt education-num capital-gain capital-loss hours-per-week",
        "class": "workclass education marital-status occupation relationship race sex "
        "native-country income",
    },
    "credit_card": {
        "row": "ID",
        "quantity": "X1 X5 X6 X7 X8 X9 X10 X11 X12 X13 X14 X15 X16 X17 X18 X19 X20 X21 X22 X23",
        "code": "X3 X4",
        "flag": "X2 Y",
    },
    "covertype": {
        "quantity": "Elevation Aspect Slope Horizontal_Distance_To_Hydrology "
        "Vertical_Distance_To_Hydrology Horizontal_Distance_To_Roadways Hillshade_9am "
        "Hillshade_Noon Hillshade_3pm Horizontal_Distance_To_Fire_Points",
        "flag": "Wilderness_Area1 Wilderness_Area2 Soil_Type1 Soil_Type29 Soil_Type40",
        "code": "Cover_Type",
    },
    "diabetes130us": {
        "row": "encounter_id patient_nbr",
        "code": "admission_type_id discharge_disposition_id admission_source_id payer_code diag_1 "
        "diag_2 diag_3",
        "quantity": "time_in_hospital num_lab_procedures num_procedures num_medications "
        "number_outpatient number_emergency number_inpatient number_diagnoses",
        "class": "race gender age weight medical_specialty max_glu_serum A1Cresult metformin "
        "insulin change diabetesMed readmitted",
    },
    "diabetes_cdc": {
        "quantity": "BMI MentHlth PhysHlth GenHlth Age Education Income",
        "flag": "Diabetes_binary HighBP Stroke Sex NoDocbcCost",
    },
    "diabetes_pima": {
        "quantity": "preg plas pres skin insu mass pedi age",
        "class": "class",
    },
    "eye_movements": {
        "row": "lineNo",
        "code": "assgNo titleNo label",
        "quantity": "fixcount firstPassCnt prevFixDur firstfixDur firstPassFixDur nextFixDur "
        "firstSaccLen landingPos totalFixDur meanFixDur nRegressFrom regressLen regressDur "
        "timePrtctg nWordsInTitle wordNo",
        "flag": "P1stFixation P2stFixation nextWordRegress",
    },
    "german_credit": {
        "quantity": "duration credit_amount installment_commitment residence_since age "
        "existing_credits num_dependents",
        "class": "checking_status credit_history purpose savings_status employment "
        "personal_status other_parties property_magnitude other_payment_plans housing job "
        "own_telephone foreign_worker class",
    },
    "heart_cleveland": {
        "quantity": "age trestbps chol thalach oldpeak ca num",
        "code": "cp restecg slope thal",
        "flag": "sex fbs exang",
    },
    "insurance": {"quantity": "age bmi children charges", "class": "sex smoker region"},
    "intrusion": {
        "quantity": "duration src_bytes dst_bytes hot num_compromised count srv_count serror_rate "
        "same_srv_rate dst_host_count dst_host_srv_count dst_host_same_src_port_rate",
        "class": "protocol_type service flag label",
        "flag": "land logged_in root_shell is_guest_login",
    },
    "king": {
        "row": "id",
        "date": "date",
        "code": "zipcode",
        "quantity": "price bedrooms bathrooms sqft_living sqft_lot floors view condition grade "
        "sqft_above sqft_basement yr_built yr_renovated lat long sqft_living15 sqft_lot15",
        "flag": "waterfront",
    },
    "news": {
        "quantity": "timedelta n_tokens_title n_tokens_content n_unique_tokens num_hrefs num_imgs "
        "num_videos average_token_length num_keywords kw_min_min kw_max_min kw_min_max kw_max_max "
        "self_reference_min_shares LDA_00 global_subjectivity rate_positive_words "
        "title_sentiment_polarity shares",
        "flag": "data_channel_is_tech weekday_is_monday is_weekend",
    },
    "penguins": {
        "class": "species island sex",
        "quantity": "bill_length_mm bill_depth_mm flipper_length_mm body_mass_g year",
    },
    "support2": {
        "row": "id",
        "quantity": "age slos d.time num.co edu scoma charges totcst avtisst sps aps hday dnrday "
        "meanbp wblc hrt resp temp pafi alb bili crea sod ph glucose bun urine adlp adls adlsc",
        "class": "sex dzgroup dzclass income race ca dnr sfdm2",
        "flag": "death hospdead diabetes dementia",
    },
}

# small files that failed once, in ``cases`` beside the data: column, truth, least and largest
# value where it may be read wrong
CASES: dict[str, tuple[str, str, float | None, float | None]] = {
    "c02": ("admitted", "date", None, None),
    "c03": ("price", "quantity", None, None),
    "c05_synthetic": ("smoker", "flag", None, None),
    "c06": ("land", "class", None, None),
    "c08_mixed": ("umsatz", "quantity", 690, 19620),
    "c08_english": ("umsatz", "quantity", 690, 19620),
    "c08_all_thousands": ("umsatz", "quantity", 1000, 9999),
    "c08_full": ("umsatz", "quantity", 690, 19621),
    "c10": ("grade", "code", None, None),
    "c12": ("d", "date", None, None),
    "c13_typo": ("bp", "bad cell", None, None),
    "c13_inf": ("bp", "bad cell", None, None),
    "c13_censored": ("bp", "bad cell", None, None),
    "c13_percent": ("bp", "quantity", None, None),
    "c13_signed": ("bp", "quantity", None, None),
    "c13_thousands": ("bp", "quantity", 1000, 99999),
    "c18": ("income", "quantity", None, None),
}
